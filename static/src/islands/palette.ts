// Search and commands: what the server finds, and the places and actions that this page already has.
import { all, hit, icon, one } from './dom.ts';
import { switchTheme } from './settings.ts';

interface Command { title: string; icon: string; run: () => void; keys?: string }

const commands = (): Command[] => [
  ...all<HTMLAnchorElement>('.sidenav a[data-key]').map(link => ({ title: `Go to ${one('.lbl', link)?.textContent ?? ''}`, icon: link.dataset.icon ?? 'arrow-right', keys: `g ${link.dataset.key}`, run: () => location.assign(link.href) })),
  { title: 'Switch theme', icon: 'moon', keys: 'Shift D', run: switchTheme },
  { title: 'Keyboard shortcuts', icon: 'keyboard', keys: '?', run: () => one<HTMLDialogElement>('#keys')?.showModal() },
  ...all<HTMLElement>('[data-command]').map(source => ({ title: source.dataset.command ?? '', icon: 'corner-down-right', run: () => source.click() })),
];

/** <bh-palette src="...">: wraps the dialog; results are links, so Ctrl Enter opens a new tab. */
class Palette extends HTMLElement {
  #asked = 0;
  #timer = 0;

  connectedCallback(): void {
    const input = one<HTMLInputElement>('input', this);
    if (!input) return;
    this.addEventListener('keydown', event => this.#move(event));
    input.addEventListener('input', () => { clearTimeout(this.#timer); this.#timer = window.setTimeout(() => void this.#show(input.value), 120); });
    one('dialog', this)?.addEventListener('toggle', () => { input.select(); void this.#show(input.value); });
    this.addEventListener('click', event => {
      const chosen = hit(event, '[data-run]');
      if (!chosen) return;
      event.preventDefault();
      one<HTMLDialogElement>('dialog', this)?.close();
      this.#found[Number(chosen.dataset.run)]?.run();
    });
  }

  #found: Command[] = [];

  async #show(text: string): Promise<void> {
    const box = one('.res', this);
    const src = this.getAttribute('src');
    const asked = ++this.#asked;
    if (!box) return;
    const words = text.trim().toLowerCase();
    let objects = '';
    if (words && src) {
      const answer = await fetch(`${src}?q=${encodeURIComponent(text.trim())}`, { headers: { 'HX-Request': 'true' } });
      if (answer.ok) objects = await answer.text();
    }
    if (asked !== this.#asked) return;
    box.innerHTML = objects;
    this.#found = commands().filter(command => words === '' || command.title.toLowerCase().includes(words)).slice(0, 12);
    if (this.#found.length) box.append(Object.assign(document.createElement('div'), { className: 'over', textContent: 'Commands' }));
    this.#found.forEach((command, index) => {
      const row = document.createElement('a');
      row.href = '#';
      row.dataset.run = String(index);
      row.setAttribute('role', 'option');
      const tile = Object.assign(document.createElement('span'), { className: 'tile' });
      tile.append(icon(command.icon));
      const end = Object.assign(document.createElement('span'), { className: 'end' });
      for (const key of command.keys?.split(' ') ?? []) end.append(Object.assign(document.createElement('kbd'), { className: 'kbd', textContent: key }));
      row.append(tile, Object.assign(document.createElement('span'), { textContent: command.title }), end);
      box.append(row);
    });
    if (!objects && !this.#found.length) box.append(Object.assign(document.createElement('p'), { className: 'muted pad-s', textContent: 'Nothing found among what you may see.' }));
    this.#choose(0);
  }

  #options(): HTMLAnchorElement[] { return all<HTMLAnchorElement>('[role=option]', this); }

  #choose(index: number): void {
    const options = this.#options();
    options.forEach((option, i) => { option.setAttribute('aria-selected', String(i === index)); option.id = `palette-option-${i}`; option.tabIndex = -1; });
    options[index]?.scrollIntoView({ block: 'nearest' });
    const input = one('input', this);
    options[index] ? input?.setAttribute('aria-activedescendant', `palette-option-${index}`) : input?.removeAttribute('aria-activedescendant');
  }

  #move(event: KeyboardEvent): void {
    const options = this.#options();
    const at = options.findIndex(option => option.getAttribute('aria-selected') === 'true');
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      this.#choose((at + (event.key === 'ArrowDown' ? 1 : -1) + options.length) % Math.max(1, options.length));
    }
    if (event.key !== 'Enter') return;
    event.preventDefault();
    const option = options[at];
    if (option && (event.ctrlKey || event.metaKey) && !option.dataset.run) open(option.href, '_blank', 'noopener');
    else option?.click();
  }
}
customElements.define('bh-palette', Palette);
