"""A message on the lock screen of an iPhone and of an Android phone, as HTML. Pure.

Everything that comes from outside is escaped. Pictures are never loaded, only named: their
address would learn who looks at the preview.
"""

from collections.abc import Mapping
from html import escape
from typing import Any

_STYLE = """
<style>
.phones {display: flex; flex-wrap: wrap; gap: 1.25rem; font-family: system-ui, sans-serif}
.phone {flex: 1 1 250px; max-width: 360px; min-height: 300px; border-radius: 34px; padding: 12px;
  box-sizing: border-box; border: 6px solid #1c1c20; color: #fff; overflow: hidden}
.phone.ios {background: linear-gradient(160deg, #2b4c8c, #7a4b8e 60%, #c9727b)}
.phone.android {background: linear-gradient(160deg, #0e3b37, #1c6b5a 55%, #8bb174)}
.phone .clock {text-align: center; font-size: 46px; font-weight: 600; line-height: 1.1;
  margin: 18px 0 2px}
.phone .day {text-align: center; font-size: 13px; opacity: .9; margin-bottom: 26px}
.phone .card {border-radius: 18px; padding: 10px 12px; display: flex; gap: 10px; font-size: 14px;
  line-height: 1.3}
.phone.ios .card {background: rgba(250, 250, 252, .86); color: #111}
.phone.android .card {background: #f3f6f1; color: #1b1c1a; border-radius: 24px}
.phone .icon {flex: none; width: 34px; height: 34px; border-radius: 9px; background: #3559e0;
  color: #fff; text-align: center; line-height: 34px; font-weight: 700; position: relative}
.phone.android .icon {border-radius: 50%}
.phone .dot {position: absolute; top: -6px; right: -7px; min-width: 17px; height: 17px;
  padding: 0 3px; border-radius: 9px; background: #e0323c; font-size: 11px; line-height: 17px;
  box-sizing: border-box}
.phone .text {min-width: 0; flex: 1; overflow-wrap: anywhere}
.phone .title {font-weight: 650}
.phone .body, .phone .subtitle {display: -webkit-box; -webkit-box-orient: vertical;
  -webkit-line-clamp: 4; overflow: hidden; white-space: pre-line}
.phone .subtitle {font-weight: 550}
.phone .more {font-size: 12px; opacity: .65; margin-top: 3px}
.phone .nothing {text-align: center; font-size: 13px; padding: 18px 8px; opacity: .95}
</style>
"""


def lock_screens(shown: Mapping[str, Mapping[str, Any] | None], app_name: str) -> str:
    """Return both phones; `shown` holds the notification by platform, None where there is none."""
    ios = _phone("ios", "iPhone lock screen", _card(shown.get("ios"), app_name, subtitle=True))
    android = _phone(
        "android", "Android lock screen", _card(shown.get("android"), app_name, subtitle=False)
    )
    return f'{_STYLE}<div class="phones">{ios}{android}</div>'


def _phone(kind: str, label: str, card: str) -> str:
    return (
        f'<div class="phone {kind}" role="img" aria-label="{label}"><div class="clock">9:41</div>'
        f'<div class="day">Monday 2 March</div>{card}</div>'
    )


def _card(notification: Mapping[str, Any] | None, app_name: str, *, subtitle: bool) -> str:
    if notification is None:
        return '<div class="nothing">Nothing can be shown yet.</div>'
    if notification["silent"] or not (notification["title"] or notification["body"]):
        return '<div class="nothing">Nothing is shown: the app gets it in silence.</div>'
    lines = [
        _line("title", notification["title"] or (app_name if subtitle else "")),
        _line("subtitle", notification["subtitle"] if subtitle else None),
        _line("body", notification["body"]),
        _line("more", _more(notification)),
    ]
    return (
        f'<div class="card"><div class="icon">{escape(app_name[:1].upper() or "?")}'
        f'{_dot(notification["badge"])}</div><div class="text">{"".join(lines)}</div></div>'
    )


def _line(kind: str, text: object) -> str:
    return f'<div class="{kind}">{escape(str(text))}</div>' if text else ""


def _dot(badge: int | None) -> str:
    return f'<span class="dot">{escape(str(badge))}</span>' if badge else ""


def _more(notification: Mapping[str, Any]) -> str:
    parts = [
        f"opens {notification['deep_link']}" if notification["deep_link"] else "",
        "with a picture" if notification["image"] else "",
        f"plays {notification['sound']}" if notification["sound"] else "",
    ]
    return " · ".join(part for part in parts if part)
