// Screenshots of running pages, light and dark, to put beside the mockups.
// Usage: npm run shoot -- --url http://127.0.0.1:8000/w/flight-ops/tables --name tables [--cookie "sessionid=…"] [--width 390] [--out folder]
// Needs Chromium and playwright-core (npm install --no-save playwright-core); CHROMIUM=/path names the browser.
import { existsSync, mkdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright-core';

const args = process.argv.slice(2);
const flag = name => { const i = args.indexOf('--' + name); return i < 0 ? null : args[i + 1]; };
const find = names => (process.env.PATH ?? '').split(delimiter).flatMap(d => names.map(n => join(d, n))).find(existsSync);
const executablePath = process.env.CHROMIUM ?? find(['chromium', 'chromium-browser', 'google-chrome']);
const url = flag('url'), name = flag('name') ?? 'page', out = flag('out') ?? 'shots', width = Number(flag('width') ?? 1440);
if (!executablePath || !url) { console.error('Needs --url and a Chromium (CHROMIUM=/path)'); process.exit(2); }
mkdirSync(out, { recursive: true });
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'] });
const tab = await browser.newPage({ viewport: { width, height: width < 500 ? 844 : 900 }, deviceScaleFactor: width < 500 ? 2 : 1, reducedMotion: 'reduce', colorScheme: 'light' });
const cookie = flag('cookie');
if (cookie) { const [key, ...value] = cookie.split('='); await tab.context().addCookies([{ name: key, value: value.join('='), url: new URL(url).origin }]); }
let problems = 0;
tab.on('pageerror', e => { problems++; console.log(`${name}: ${e.message}`); });
tab.on('console', m => { if (m.type() === 'error') { problems++; console.log(`${name}: ${m.text()}`); } });
await tab.goto(url, { waitUntil: 'networkidle' });
await tab.evaluate(() => document.fonts.ready);
const grow = await tab.evaluate(() => { const m = document.querySelector('.main'); return document.querySelector('dialog[open]') || m?.classList.contains('fixed') ? 0 : m ? m.scrollHeight - m.clientHeight : document.documentElement.scrollHeight - innerHeight; });
if (grow > 0 && width > 500) await tab.setViewportSize({ width, height: Math.min(2200, 900 + grow) });
for (const theme of ['light', 'dark']) {
  await tab.emulateMedia({ colorScheme: theme });
  await tab.evaluate(t => { document.documentElement.dataset.theme = t; }, theme);
  await tab.waitForTimeout(200);
  const wide = await tab.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (wide > 1) { problems++; console.log(`${name}: page is ${wide} px too wide`); }
  await tab.screenshot({ path: `${out}/${name}-${theme}.png` });
}
await browser.close();
process.exitCode = problems ? 1 : 0;
