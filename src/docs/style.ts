/** The style of the page about the interface, in the colours of the page at `/`. */
export const style = `:root {
  color-scheme: light dark;
  --paper: #f5f4ef;
  --card: #fffefb;
  --ink: #1b211e;
  --muted: #57605b;
  --line: #e0ddd3;
  --accent: #0a6a50;
  --on-accent: #ffffff;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #101413;
    --card: #181d1b;
    --ink: #e8ece9;
    --muted: #9fa9a3;
    --line: #2a312e;
    --accent: #6fd3af;
    --on-accent: #06241a;
  }
}
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0 auto;
  max-width: 76rem;
  padding: clamp(16px, 3vw, 32px);
  background: var(--paper);
  color: var(--ink);
  font: 400 1rem/1.55 system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif;
  overflow-wrap: anywhere;
}
@media (min-width: 64rem) {
  body { display: grid; grid-template-columns: 17rem minmax(0, 1fr); column-gap: 2.5rem; align-content: start; }
  header { grid-column: 1 / -1; }
  nav { position: sticky; top: 0; align-self: start; max-height: 100vh; overflow-y: auto; padding-block: 1rem; }
}
h1, h2, h3, h4 { line-height: 1.2; letter-spacing: -0.02em; font-weight: 650; }
h1 { font-size: clamp(1.9rem, 1.3rem + 2.4vw, 2.9rem); margin: 0 0 0.5em; }
h2 { font-size: 1.5rem; margin: 2rem 0 1rem; }
h3 { font-size: 1.125rem; margin: 0; }
h4 { font-size: 1rem; margin: 1.25rem 0 0.25rem; }
p, dl, ul, dd { margin: 0.5rem 0; }
ul { padding-left: 1.25rem; }
nav p { margin: 1rem 0 0; font-weight: 650; }
nav ul { list-style: none; margin: 0; padding: 0; }
nav a { display: block; padding: 0.5rem 0; }
a { color: var(--accent); text-underline-offset: 0.2em; }
code { font-family: ui-monospace, 'SF Mono', 'Cascadia Code', Menlo, Consolas, monospace; font-size: 0.9em; }
article {
  margin: 0 0 1rem;
  padding: clamp(16px, 2.4vw, 24px);
  border: 1px solid var(--line);
  border-radius: 16px;
  background: var(--card);
}
:target { border-color: var(--accent); }
.address { font-size: 1.0625rem; font-weight: 650; }
.members { list-style: none; padding-left: 0; }
.members > li { padding: 0.25rem 0; border-top: 1px solid var(--line); }
.members .members { padding-left: 1.25rem; }
.name { font-weight: 650; }
.type { color: var(--muted); }
table { width: 100%; border-collapse: collapse; }
th, td { padding: 0.25rem 0.75rem 0.25rem 0; border-top: 1px solid var(--line); text-align: left; vertical-align: top; }
th:first-child, td:first-child { white-space: nowrap; }
table { overflow-wrap: break-word; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
main:focus { outline: none; }
.skip {
  position: absolute;
  left: 16px;
  top: -100px;
  padding: 12px 20px;
  border-radius: 10px;
  background: var(--accent);
  color: var(--on-accent);
}
.skip:focus { top: 12px; }
`
