// Differences: side by side or in one column, notebooks as cells or source, files folded once they were seen. Kept by the browser.
import { all, hit, one } from './dom.ts';

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

apply(document.documentElement);
refold(document);
