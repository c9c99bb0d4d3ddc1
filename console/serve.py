"""The console as it runs: `streamlit run console/serve.py`. It waits ready for its visitors."""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from streamlit import file_util

from console import bundle

# The pages and what they import, so that the first visitor does not wait for it.
from console.app_pages import apps, compose, lookup, message, overview, sign_in

READY = (apps, compose, lookup, message, overview, sign_in)

app = st.App(
    Path(__file__).with_name("app.py"),
    middleware=[
        Middleware(bundle.Bundle, files=bundle.read_files(Path(file_util.get_static_dir())))
    ],
)
