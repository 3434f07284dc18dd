// Differences: side by side or in one column, notebooks as cells or source, files folded once they were seen. Kept by the browser.
import { all, hit, icon, one, toast } from './dom.ts';

const read = (name: string): string => { try { return localStorage.getItem(`bh-${name}`) ?? ''; } catch { return ''; } };
const write = (name: string, value: string): void => { try { localStorage.setItem(`bh-${name}`, value); } catch { return; } };

const apply = (root: HTMLElement): void => {
  root.dataset.columns = read('diff-layout') || 'two';
  root.dataset.nb = read('diff-notebooks') || 'visual';
  for (const button of all('[data-layout]')) button.setAttribute('aria-pressed', String(button.dataset.layout === root.dataset.columns));
  for (const button of all('[data-notebooks]')) button.setAttribute('aria-pressed', String(button.dataset.notebooks === root.dataset.nb));
};

const seen = new Set(read('seen').split(' ').filter(Boolean));
const refold = (root: ParentNode): void => {
  for (const box of all<HTMLInputElement>('[data-seen]', root)) if (seen.has(box.dataset.seen ?? '')) box.checked = true;
};

document.addEventListener('click', event => {
  const layout = hit(event, '[data-layout]'), books = hit(event, '[data-notebooks]');
  if (layout) write('diff-layout', layout.dataset.layout ?? '');
  if (books) write('diff-notebooks', books.dataset.notebooks ?? '');
  if (layout || books) apply(document.documentElement);
});
document.addEventListener('change', event => {
  const box = hit(event, '[data-seen]');
  if (!(box instanceof HTMLInputElement) || box.hasAttribute('data-long')) return;
  const key = box.dataset.seen ?? '';
  if (box.checked) seen.add(key); else seen.delete(key);
  write('seen', [...seen].slice(-500).join(' '));
});

// <bh-commit>: the dialog with what a commit would change. Counts the chosen files; a file in the list leads to its lines.
class Commit extends HTMLElement {
  connectedCallback(): void {
    apply(document.documentElement);
    this.addEventListener('change', () => this.#count());
    this.addEventListener('click', event => {
      const link = hit(event, '.chlist a[href^="#"]');
      if (!link) return;
      event.preventDefault();
      for (const row of all('.chlist > li', this)) row.toggleAttribute('aria-current', row.contains(link));
      one(link.getAttribute('href') ?? '', this)?.scrollIntoView({ block: 'start' });
    });
    this.#count();
  }

  #count(): void {
    const boxes = all<HTMLInputElement>('input[name=paths]', this), chosen = boxes.filter(box => box.checked).length;
    const words = one('[data-chosen-files]', this), button = one<HTMLButtonElement>('[data-commit]', this);
    if (words) words.textContent = `${chosen} of ${boxes.length} changed ${boxes.length === 1 ? 'file' : 'files'} chosen`;
    if (button) { button.disabled = !chosen; button.textContent = `Commit ${chosen} ${chosen === 1 ? 'file' : 'files'}`; }
  }
}
customElements.define('bh-commit', Commit);

// <bh-lines src>: lines of a difference that can be talked about. The button stands at the line under the pointer; threads that exist are shown.
class Lines extends HTMLElement {
  #button = document.createElement('button');

  connectedCallback(): void {
    this.#button.type = 'button';
    this.#button.className = 'btn sm sq primary say';
    this.#button.setAttribute('aria-label', 'Comment on this line');
    this.#button.append(icon('plus', 's'));
    this.addEventListener('pointerover', event => {
      const row = hit(event, 'tr[data-line]');
      if (row && !row.contains(this.#button)) one(row.dataset.line?.startsWith('-') ? 'td.ln' : 'td.ln:nth-child(3)', row)?.append(this.#button);
    });
    this.addEventListener('click', event => {
      if (hit(event, '.say')) { const row = hit(event, 'tr[data-line]'); if (row) void this.#open(row, true); }
      const first = hit(event, '[data-say-first]');
      const row = first && one('tr[data-line]:not(.same)', first.closest('.dfile') ?? this);
      if (row) void this.#open(row, true);
      if (hit(event, '[data-untalk]')) hit(event, 'tr.linerow')?.remove();
    });
    const { talks } = JSON.parse(one('script', this)?.textContent ?? '{}') as { talks: Record<string, number> };
    const asked = new URLSearchParams(location.search).get('at');
    const places = Object.keys(talks ?? {}).slice(0, 20);
    for (const place of asked && !places.includes(asked) ? [asked, ...places] : places) {
      const at = place.lastIndexOf(':'), path = place.slice(0, at), line = place.slice(at + 1);
      const row = one(`.dfile[data-path="${CSS.escape(path)}"] tr[data-line="${line[0]}:${line.slice(1)}"]`, this);
      if (row) void this.#open(row, false, place === asked);
    }
  }

  async #open(row: HTMLElement, write: boolean, show = false): Promise<void> {
    const below = row.nextElementSibling;
    if (below?.matches('tr.linerow')) { if (write) one('textarea', below)?.focus(); return; }
    const path = row.closest<HTMLElement>('.dfile')?.dataset.path ?? '', line = row.dataset.line ?? '';
    const quote = one(line.startsWith('-') ? 'td.cd' : 'td.cd:last-child', row)?.textContent ?? '';
    const query = new URLSearchParams({ path, n: line, quote: quote.slice(0, 400) });
    const comment = new URLSearchParams(location.search).get('comment');
    if (comment) query.set('comment', comment);
    const answer = await fetch(`${this.getAttribute('src')}&${query}`, { headers: { 'HX-Request': 'true', 'HX-Request-Type': 'partial' } });
    if (!answer.ok) { toast('Comments could not be read', 'Try again in a moment.', 'bad'); return; }
    const talk = document.createElement('tr'), cell = document.createElement('td');
    talk.className = 'linerow';
    cell.colSpan = 4;
    cell.innerHTML = await answer.text();
    talk.append(cell);
    row.after(talk);
    if (write) one('textarea', talk)?.focus();
    if (show) row.scrollIntoView({ block: 'center' });
  }
}
customElements.define('bh-lines', Lines);

apply(document.documentElement);
refold(document);
