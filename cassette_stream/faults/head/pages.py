"""What gateways and web servers say to people, in HTML."""

from __future__ import annotations

__all__ = ("APP", "BAD_GATEWAY", "BLOCKED", "LOGIN", "TIMED_OUT")

BLOCKED = b"""<!DOCTYPE html>
<html lang="en-US">
<head><title>Attention Required! | Cloudflare</title></head>
<body>
<h1 data-translate="block_headline">Sorry, you have been blocked</h1>
<h2>You are unable to access this service</h2>
</body>
</html>
"""

BAD_GATEWAY = b"""<html>\r
<head><title>502 Bad Gateway</title></head>\r
<body>\r
<center><h1>502 Bad Gateway</h1></center>\r
<hr><center>nginx</center>\r
</body>\r
</html>\r
"""

TIMED_OUT = b"""<!DOCTYPE html>
<html lang="en-US">
<head><title>524: A timeout occurred</title></head>
<body>
<h1><span>A timeout occurred</span> <span>Error code 524</span></h1>
<p>The origin web server timed out responding to this request.</p>
</body>
</html>
"""

LOGIN = b"""<!DOCTYPE html>
<html lang="en">
<head><title>Sign in</title></head>
<body>
<form method="post" action="/login">
<input name="user"><input name="password" type="password"><button>Sign in</button>
</form>
</body>
</html>
"""

APP = b"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>App</title><script type="module" src="/app.js"></script></head>
<body><div id="root"></div></body>
</html>
"""
