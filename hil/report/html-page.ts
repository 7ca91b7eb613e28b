/** Style and script of the HTML report. */

export const PAGE_STYLE = `
:root { color-scheme: light dark; --ink: #1c2126; --dim: #67717c; --line: #dfe3e8; --paper: #ffffff; --soft: #f5f6f8;
  --pass: #1a7f4b; --fail: #c62f2f; --blocked: #a86a00; --screen: #14181d; --screen-ink: #d6dde4; }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e7eb; --dim: #96a0aa; --line: #30363d; --paper: #15191e; --soft: #1c2127;
  --pass: #46b97c; --fail: #f06a6a; --blocked: #dfa13c; } }
* { box-sizing: border-box; }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
header { padding: 1.6rem max(1rem, calc(50vw - 38rem)); background: var(--soft); border-left: .5rem solid; border-bottom: 1px solid var(--line); }
header.pass { border-left-color: var(--pass); } header.fail { border-left-color: var(--fail); }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.05rem; margin: 2rem 0 .6rem; } h3 { font-size: .95rem; margin: 0 0 .3rem; }
h3 a { font-weight: normal; font-size: .8rem; }
p { margin: .3rem 0; } .count { font-size: 1.1rem; } .facts, .hint { color: var(--dim); font-size: .85rem; }
main { max-width: 76rem; margin: auto; padding: 0 1rem 3rem; } a { color: inherit; }
.scenario { border: 1px solid var(--line); border-radius: .4rem; margin: .4rem 0; overflow: hidden; }
summary { display: flex; gap: .8rem; align-items: baseline; padding: .45rem .8rem; cursor: pointer; }
summary:hover { background: var(--soft); } .claim { color: var(--dim); flex: 1; }
.badge { font-size: .75rem; min-width: 4.2rem; text-align: center; border-radius: 1rem; padding: .05rem .5rem; color: var(--paper); }
.scenario.pass .badge { background: var(--pass); } .scenario.fail .badge { background: var(--fail); } .scenario.blocked .badge { background: var(--blocked); } .scenario.impossible .badge { background: var(--dim); }
.scenario.fail { border-color: var(--fail); }
.time { color: var(--dim); font-variant-numeric: tabular-nums; font-size: .85rem; white-space: nowrap; }
.because { padding: 0 .8rem; color: var(--blocked); } ol { list-style: none; margin: 0; padding: 0 .8rem .6rem; }
.step { display: grid; grid-template-columns: minmax(0, 1fr) 14rem 4.5rem 4.5rem; gap: .8rem; text-decoration: none; padding: .2rem .4rem; border-radius: .3rem; align-items: center; }
.step:hover { background: var(--soft); } .step .time { text-align: right; }
.bar { position: relative; height: .5rem; background: var(--soft); border-radius: .25rem; } .bar i { position: absolute; top: 0; bottom: 0; border-radius: .25rem; background: var(--pass); }
li.fail .bar i { background: var(--fail); } li.fail .step span:first-child { color: var(--fail); font-weight: 600; }
pre.failure { background: var(--soft); border-left: 3px solid var(--fail); padding: .7rem .9rem; margin: .3rem 0 .6rem; overflow: auto; font: 13px/1.45 ui-monospace, monospace; white-space: pre-wrap; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .25rem 1.2rem .25rem 0; border-bottom: 1px solid var(--line); } th { color: var(--dim); font-weight: normal; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.consoles { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(34rem, 100%), 1fr)); gap: 1rem; }
.screen { height: 26rem; overflow: auto; background: var(--screen); color: var(--screen-ink); font: 12.5px/1.45 ui-monospace, monospace; padding: .5rem .7rem; border-radius: .4rem; }
.screen div { white-space: pre-wrap; overflow-wrap: anywhere; padding-left: 4.2rem; text-indent: -4.2rem; } .screen time { color: #7d8894; display: inline-block; width: 3.7rem; margin-right: .5rem; text-align: right; text-indent: 0; }
.screen .note { color: #93a1ae; } .screen .now { background: #2c4a2e; }
@media (max-width: 46rem) { .step { grid-template-columns: minmax(0, 1fr) auto; } .bar, .step .time:nth-child(3) { display: none; } summary { flex-wrap: wrap; } }
`;

/** A click on a step brings every console to that time. */
export const PAGE_SCRIPT = `
for (const step of document.querySelectorAll(".step")) step.addEventListener("click", (event) => {
  event.preventDefault();
  const at = Number(step.dataset.at);
  for (const now of document.querySelectorAll(".now")) now.classList.remove("now");
  for (const screen of document.querySelectorAll(".screen")) {
    const line = [...screen.children].find((each) => Number(each.dataset.at) >= at) ?? screen.lastElementChild;
    if (line === null) continue;
    line.classList.add("now");
    screen.scrollTop = line.offsetTop - screen.offsetTop - 40;
  }
  document.querySelector(".consoles").scrollIntoView({ behavior: "smooth" });
});
`;
