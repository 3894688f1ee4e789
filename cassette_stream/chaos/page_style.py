"""How the page of a report looks: one sheet, light and dark, without a script."""

from __future__ import annotations

__all__ = ("STYLE",)

STYLE = """
:root { color-scheme: light dark; --page: #fbfbfa; --card: #fff; --ink: #1c1d21; --soft: #63666f;
  --line: #dfe0e4; --code: #f1f2f4; --ok: #2c7a4b; --raised: #3467b3; --silent: #c02636;
  --wrong_error: #a15c00; --hang: #7d3bb0; --leaked: #c02636; --unfired: #767983;
  --frame: #2d87a8; --struck: #c02636; --after: #c026361c; }
@media (prefers-color-scheme: dark) { :root { --page: #15161a; --card: #1d1f24; --ink: #e6e7ea;
  --soft: #9a9ea9; --line: #33363e; --code: #272a31; --ok: #5dbd85; --raised: #7fb0f5;
  --silent: #ff6b78; --wrong_error: #e5a54b; --hang: #c894f2; --leaked: #ff6b78;
  --unfired: #8d919c; --frame: #5fb9d9; --struck: #ff6b78; --after: #ff6b7826; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2.5rem 0 .75rem; }
p { margin: .25rem 0; } .soft, dt { color: var(--soft); }
a { color: inherit; text-decoration-color: var(--line); text-underline-offset: 3px; }
code, pre { font: .86em/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: .75rem 0; }
dd { margin: 0; overflow-wrap: anywhere; min-width: 0; }
.copy { display: block; background: var(--code); border-radius: 5px; padding: .35rem .6rem;
  margin: .3rem 0; overflow-x: auto; white-space: pre; user-select: all; }
.sums { display: flex; flex-wrap: wrap; gap: .6rem; margin: 1.25rem 0; padding: 0;
  list-style: none; }
.sums li { background: var(--card); border: 1px solid var(--line); border-top: 3px solid var(--c);
  border-radius: 6px; padding: .5rem .9rem; min-width: 6.5rem; }
.sums b { display: block; font-size: 1.5rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.v { color: var(--c); font-weight: 600; white-space: nowrap; }
.ok { --c: var(--ok); } .raised { --c: var(--raised); } .silent { --c: var(--silent); }
.wrong_error { --c: var(--wrong_error); } .hang { --c: var(--hang); }
.leaked { --c: var(--leaked); } .unfired { --c: var(--unfired); }
.finding { background: var(--card); border: 1px solid var(--line); border-left: 4px solid var(--c);
  border-radius: 6px; padding: .7rem 1rem; margin: .6rem 0; }
.finding p { overflow-wrap: anywhere; }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px;
  background: var(--card); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; text-align: right; border-top: 1px solid var(--line); }
thead th { border-top: 0; color: var(--soft); font-weight: 500; position: sticky; top: 0;
  background: var(--card); white-space: nowrap; }
th:first-child { text-align: left; font-weight: 500; white-space: nowrap; }
td.name { text-align: left; color: var(--soft); font-size: .9em; }
td.none { color: var(--line); }
td.bad { color: var(--c); font-weight: 700;
  background: color-mix(in srgb, var(--c) 13%, transparent); }
details.fault { background: var(--card); border: 1px solid var(--line); border-radius: 6px;
  margin: .5rem 0; }
details.fault > summary { padding: .5rem .9rem; overflow-wrap: anywhere; }
summary { cursor: pointer; }
summary:hover { background: color-mix(in srgb, var(--soft) 8%, transparent); }
.trial { border-top: 1px solid var(--line); }
.trial > summary, p.trial { padding: .3rem .9rem; margin: 0; overflow-wrap: anywhere; }
p.trial { padding-left: 1.95rem; }
.trial .inner { padding: .2rem .9rem .8rem 1.95rem; }
.lane { display: grid; grid-template-columns: 4.5rem minmax(0, 1fr) 17rem; gap: .75rem;
  align-items: center; margin: .15rem 0; font-size: .88em; }
.lane .say { overflow-wrap: anywhere; line-height: 1.3; }
.lane svg, .key svg { display: block; width: 100%; height: 20px; overflow: hidden; }
.lane .who { color: var(--soft); }
.axis { position: relative; height: 1.2em; color: var(--soft); }
.axis span { position: absolute; white-space: nowrap; }
path, line { vector-effect: non-scaling-stroke; fill: none; }
.f { stroke: var(--frame); stroke-width: 1.6; } .b { stroke: var(--line); stroke-width: 2; }
.x { stroke: var(--struck); stroke-width: 2; stroke-dasharray: 3 2; } .a { fill: var(--after); }
.d { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 1 3; }
.s { fill: var(--c); opacity: .8; }
.e { stroke-width: 4; stroke: var(--struck); } .e.complete { stroke: var(--ok); }
.e.left { stroke: var(--wrong_error); }
.key { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; color: var(--soft); font-size: .88em; }
.key span { display: inline-flex; gap: .4rem; align-items: center; }
.key svg { width: 14px; height: 14px; }
@media (max-width: 46rem) { main { padding: 1.25rem .75rem 3rem; }
  td.name, th.name { display: none; }
  .lane { grid-template-columns: 4.5rem minmax(0, 1fr); gap: .1rem .75rem; margin: .35rem 0; }
  .lane svg, .lane .axis { grid-column: 1 / -1; grid-row: 2; }
  .lane.only { margin-top: -.3rem; } .trial .inner { padding-left: .9rem; }
  th, td { padding: .25rem .45rem; } p.trial { padding-left: .9rem; } }
"""
