// One SVG sprite of the icons that templates, rooms and islands name, written as assets/icons-<hash>.svg and listed in icons.json.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';

const repo = fileURLToPath(new URL('../../../', import.meta.url));
const icons = fileURLToPath(new URL('../node_modules/lucide-static/icons/', import.meta.url));
const places = [[join(repo, 'templates'), /\.html$/], [join(repo, 'apps'), /\.py$/], [join(repo, 'static/src/islands'), /\.ts$/]];

const files = (folder, name) => !existsSync(folder) ? [] : readdirSync(folder).flatMap(entry => {
  const path = join(folder, entry);
  return statSync(path).isDirectory() ? files(path, name) : name.test(entry) ? [path] : [];
});

/** Every quoted word that is also the name of a lucide icon: a few too many rather than one too few. */
export const usedIcons = () => {
  const names = new Set();
  for (const [folder, name] of places) for (const path of files(folder, name))
    for (const [, word] of readFileSync(path, 'utf8').matchAll(/["'#]((?:i-)?[a-z][a-z0-9]*(?:-[a-z0-9]+)*)["']/g)) {
      const icon = word.replace(/^i-/, '');
      if (existsSync(join(icons, icon + '.svg'))) names.add(icon);
    }
  return [...names].sort();
};

const symbol = name => {
  const svg = readFileSync(join(icons, name + '.svg'), 'utf8').replace(/<!--[\s\S]*?-->/g, '').replace(/^[\s\S]*?<svg[\s\S]*?>/, '').replace('</svg>', '').replace(/\s+/g, ' ').trim();
  return `<symbol id="i-${name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-linecap="round" stroke-linejoin="round">${svg}</symbol>`;
};

export const iconSprite = () => ({
  name: 'icon-sprite',
  generateBundle() {
    const names = usedIcons();
    const source = `<svg xmlns="http://www.w3.org/2000/svg">${names.map(symbol).join('')}</svg>`;
    const fileName = `assets/icons-${createHash('sha256').update(source).digest('hex').slice(0, 8)}.svg`;
    this.emitFile({ type: 'asset', fileName, source });
    this.emitFile({ type: 'asset', fileName: 'icons.json', source: JSON.stringify({ file: fileName, names }) });
  },
});
