"""`./carillon openapi`: the description of the API, and the pages of docs/reference made of it."""

import argparse
import json
import sys

from api.main import assemble
from api.reference import error_page, route_page


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `openapi`."""
    pages = parser.add_mutually_exclusive_group()
    pages.add_argument("--routes", action="store_true", help="print docs/reference/routes.md")
    pages.add_argument("--errors", action="store_true", help="print docs/reference/errors.md")


def run(args: argparse.Namespace) -> int:
    """Print the OpenAPI document, or one of the pages."""
    if args.errors:
        sys.stdout.write(error_page())
    elif args.routes:
        sys.stdout.write(route_page(assemble().openapi()))
    else:
        sys.stdout.write(json.dumps(assemble().openapi(), indent=2) + "\n")
    return 0
