// Threads: sent and shown without leaving the page, live for others, and nothing that was typed gets lost.
import { all, hit, one, toast } from '../dom.ts';
import { ask, fill, follow } from '../events.ts';

const HEADERS = { 'HX-Request': 'true', 'HX-Request-Type': 'partial' };
const field = (form: Element): HTMLTextAreaElement | null => one<HTMLTextAreaElement>('textarea', form);
const overlay = async (src: string): Promise<void> => {
  const text = await ask(src), place = one('#overlay');
  if (text !== null && place) fill(place, text);
};

/** <bh-comments src topic>: the threads of one place. `src` prints them anew; forms inside are sent by the listener below. */
class Comments extends HTMLElement {
  #stop: () => void = () => undefined;
  #asking = false;
  #again = false;

  connectedCallback(): void {
    this.#stop = follow(this.getAttribute('topic') ?? '', () => void this.refresh());
    all<HTMLFormElement>('form.composer', this).forEach(recall);
    this.#find();
  }

  disconnectedCallback(): void { this.#stop(); }

  /** Print the threads anew; forms that are open stay as they are, with what was typed and where the caret stood. */
  async refresh(): Promise<void> {
    if (this.#asking) { this.#again = true; return; }
    this.#asking = true;
    const text = await ask(this.getAttribute('src') ?? '').catch(() => null);
    const place = one(':scope > .talk', this);
    if (text !== null && place) {
      const focused = document.activeElement;
      const open = all<HTMLFormElement>('form[data-reply]:not([hidden]), form[data-settle]:not([hidden]), article form.composer', place);
      fill(place, text);
      for (const form of open) {
        const twin = one(`form[action="${CSS.escape(form.getAttribute('action') ?? '')}"]`, place);
        const article = form.dataset.comment && one(`[data-comment="${form.dataset.comment}"]`, place);
        if (twin) twin.replaceWith(form);
        else if (article) edit(article, form);
      }
      if (focused instanceof HTMLElement && place.contains(focused)) focused.focus({ preventScroll: true });
    }
    this.#asking = false;
    if (this.#again) { this.#again = false; void this.refresh(); }
  }

  /** Go to the comment that the address names, with the rail open. */
  #find(): void {
    const found = location.hash.startsWith('#comment-') ? document.getElementById(location.hash.slice(1)) : null;
    if (!found || !this.contains(found)) return;
    const app = one('.app');
    if (app?.dataset.rail === 'closed') app.dataset.rail = 'open';
    found.classList.add('found');
    requestAnimationFrame(() => found.scrollIntoView({ block: 'center' }));
  }
}
const refreshAll = (): void => all<Comments>('bh-comments').forEach(place => void place.refresh());

// Sending. The form keeps its words until the server has them.
const complain = (form: HTMLFormElement, sentence: string): void => {
  const place = one('.err', form);
  if (place && sentence) { place.textContent = sentence; place.hidden = false; field(form)?.setAttribute('aria-invalid', 'true'); }
  else if (sentence) toast('It was not done', sentence, 'bad');
};

const send = async (form: HTMLFormElement): Promise<void> => {
  const button = one<HTMLButtonElement>('button[type=submit]', form);
  if (button?.getAttribute('aria-busy') === 'true') return;
  button?.setAttribute('aria-busy', 'true');
  complain(form, '');
  const answer = await fetch(form.action, { method: 'POST', body: new FormData(form), headers: HEADERS }).catch(() => null);
  button?.removeAttribute('aria-busy');
  if (!answer?.ok) {
    const said = answer ? new DOMParser().parseFromString(await answer.text(), 'text/html').querySelector('p')?.textContent?.trim() : '';
    complain(form, said?.replace(/^(text|reason): /, '') || 'The server did not answer. Your words are kept; try again in a moment.');
    field(form)?.focus();
    return;
  }
  close(form);
  form.closest('dialog')?.close();
  refreshAll();
};

/** Empty a form and, where it came up on demand, let it go again. */
const close = (form: HTMLFormElement): void => {
  const text = field(form);
  if (text) { text.value = ''; text.removeAttribute('aria-invalid'); keep(form); grow(text); }
  const error = one('.err', form), preview = one('.preview', form);
  if (error) error.hidden = true;
  if (preview && !preview.hidden) togglePreview(form, false);
  if (form.dataset.reply || form.dataset.settle) form.hidden = true;
  const article = form.closest('article');
  if (article) { form.remove(); const said = one('.prose', article); if (said) said.hidden = false; }
};

// Drafts: what was typed outlives a reload, a lost session, a closed reply.
const draft = (form: HTMLFormElement): string => `draft:${form.getAttribute('action')}:${one<HTMLInputElement>('[name=path]', form)?.value ?? ''}`;
const keep = (form: HTMLFormElement): void => {
  const text = field(form)?.value ?? '';
  if (text) sessionStorage.setItem(draft(form), text); else sessionStorage.removeItem(draft(form));
};
const recall = (form: HTMLFormElement): void => {
  const text = field(form), kept = sessionStorage.getItem(draft(form));
  if (text && kept && !text.value) { text.value = kept; grow(text); }
};
const grow = (text: HTMLTextAreaElement): void => {
  text.style.blockSize = 'auto';
  if (text.value) text.style.blockSize = `${text.scrollHeight + 2}px`;
};

const togglePreview = (form: HTMLFormElement, on: boolean): void => {
  const preview = one('.preview', form), text = field(form), button = one('[data-preview-toggle]', form);
  if (!preview || !text) return;
  preview.hidden = !on;
  text.hidden = on;
  button?.setAttribute('aria-pressed', String(on));
  if (!on) { text.focus(); return; }
  preview.textContent = '…';
  void fetch(form.dataset.preview ?? '', { method: 'POST', body: new FormData(form), headers: HEADERS }).then(async answer => {
    const said = await answer.text();
    if (answer.ok) fill(preview, said);
    else { togglePreview(form, false); complain(form, new DOMParser().parseFromString(said, 'text/html').querySelector('p')?.textContent?.replace(/^text: /, '') ?? ''); }
  }).catch(() => togglePreview(form, false));
};

const edit = (article: Element, form: HTMLFormElement): void => {
  const said = one('.prose', article);
  if (!said) return;
  said.hidden = true;
  said.after(form);
};

// What one comment offers. Both menus are shared: the button that opens one says which comment it is about.
const open = async (article: HTMLElement, act: string): Promise<void> => {
  const href = article.dataset.href ?? '';
  if (act === 'link') {
    await navigator.clipboard.writeText(new URL(href, location.href).href).then(() => toast('Link copied'), () => toast('The browser did not allow copying', href, 'bad'));
  } else if (act === 'edit') {
    const text = await ask(`${href}/edit`);
    if (text === null) return;
    const box = document.createElement('div');
    fill(box, text);
    const form = one<HTMLFormElement>('form', box);
    if (!form) return;
    form.dataset.comment = article.dataset.comment ?? '';
    edit(article, form);
    const words = field(form);
    if (words) { grow(words); words.focus(); words.setSelectionRange(words.value.length, words.value.length); }
  } else await overlay(`${href}/${act}`);
};

const react = async (article: HTMLElement, name: string): Promise<void> => {
  const body = new FormData();
  body.set('name', name);
  const token = one<HTMLMetaElement>('meta[name=csrf-token]')?.content ?? '';
  const answer = await fetch(`${article.dataset.href}/react`, { method: 'POST', body, headers: { ...HEADERS, 'X-CSRFToken': token } }).catch(() => null);
  if (answer?.ok) refreshAll(); else toast('It was not done', 'Try again in a moment.', 'bad');
};

let current: HTMLElement | null = null;
document.addEventListener('click', event => {
  const place = hit(event, 'bh-comments');
  if (!place) return;
  const opener = hit(event, '.tools [data-pop]'), article = hit(event, 'article');
  if (opener && article) {
    const menu = document.getElementById(opener.dataset.pop ?? '');
    if (menu && current !== article) menu.hidden = true;
    current = article;
    for (const [act, may] of [['edit', 'own'], ['delete', 'deletable'], ['history', 'edited']] as const) {
      const item = menu && one(`[data-act=${act}]`, menu);
      if (item) item.hidden = !(may in article.dataset);
    }
    return;
  }
  const sign = hit(event, '[data-react]'), item = hit(event, '[data-act]');
  if (sign) {
    const about = article ?? current;
    const pop = hit(event, '.pop');
    if (pop) pop.hidden = true;
    if (about) void react(about, sign.dataset.react ?? '');
    return;
  }
  if (item && current) { const menu = hit(event, '.menu'); if (menu) menu.hidden = true; void open(current, item.dataset.act ?? ''); return; }
  const form = hit(event, 'form') as HTMLFormElement | null;
  if (hit(event, '[data-cancel]') && form) { const thread = form.closest('.thread'); close(form); if (thread) one('[data-show]', thread)?.focus(); return; }
  const show = hit(event, '[data-show]');
  if (show) {
    const wanted = one<HTMLFormElement>(`form[data-${show.dataset.show}]`, show.closest('.thread') ?? place);
    if (wanted) { wanted.hidden = false; recall(wanted); one<HTMLElement>('textarea, input:not([type=hidden])', wanted)?.focus(); }
  }
  if (hit(event, '[data-preview-toggle]') && form) togglePreview(form, one('.preview', form)?.hidden === true);
  if (hit(event, '[data-mention]') && form) {
    const text = field(form);
    if (!text) return;
    text.focus();
    text.setRangeText(/(^|\s)$/.test(text.value.slice(0, text.selectionStart)) ? '@' : ' @', text.selectionStart, text.selectionEnd, 'end');
    text.dispatchEvent(new Event('input', { bubbles: true }));
  }
}, true);

document.addEventListener('submit', event => {
  if (!(event.target instanceof HTMLFormElement) || !event.target.matches('[data-talk]')) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  void send(event.target);
}, true);

// Mentions: a list of those whose name begins so, under the caret's composer.
let people: HTMLElement | null = null;
let asked = 0;
const started = (text: HTMLTextAreaElement): RegExpMatchArray | null => /(?:^|[\s(])@([\w.+@-]*)$/.exec(text.value.slice(0, text.selectionStart));
const dismiss = (): void => { people?.previousElementSibling?.removeAttribute('aria-activedescendant'); people?.remove(); people = null; };

const suggest = async (text: HTMLTextAreaElement): Promise<void> => {
  const form = text.form, match = started(text), turn = ++asked;
  if (!form || !match) { dismiss(); return; }
  const found = await ask(`${form.dataset.people}?q=${encodeURIComponent(match[1] ?? '')}`).catch(() => null);
  if (turn !== asked || document.activeElement !== text) return;
  dismiss();
  if (!found?.trim()) return;
  people = Object.assign(document.createElement('div'), { className: 'menu people', id: 'mention-people', innerHTML: found });
  people.setAttribute('role', 'listbox');
  people.setAttribute('aria-label', 'People and groups');
  all('[role=option]', people).forEach((option, index) => { option.id = `mention-${index}`; option.tabIndex = -1; });
  form.append(people);
  text.setAttribute('aria-controls', people.id);
  choose(text, 0);
};

const choose = (text: HTMLTextAreaElement, by: number): void => {
  const options = people ? all('[role=option]', people) : [];
  const at = Math.max(0, options.findIndex(option => option.getAttribute('aria-selected') === 'true'));
  const next = (at + by + options.length) % (options.length || 1);
  options.forEach((option, index) => option.setAttribute('aria-selected', String(index === next)));
  text.setAttribute('aria-activedescendant', options[next]?.id ?? '');
};

const take = (text: HTMLTextAreaElement, option: HTMLElement | null): void => {
  const match = started(text);
  if (!option || !match) return;
  const start = text.selectionStart - (match[1] ?? '').length;
  text.setRangeText(`${option.dataset.handle} `, start, text.selectionStart, 'end');
  dismiss();
  text.focus();
  keep(text.form as HTMLFormElement);
};

document.addEventListener('input', event => {
  const text = hit(event, 'bh-comments .composer textarea');
  if (!(text instanceof HTMLTextAreaElement) || !text.form) return;
  grow(text);
  keep(text.form);
  void suggest(text);
});
document.addEventListener('mousedown', event => {
  const option = hit(event, '.people [role=option]');
  const text = option && field(option.closest('form') as HTMLFormElement);
  if (option && text) { event.preventDefault(); take(text, option); }
});
document.addEventListener('focusout', event => { if (hit(event, '.composer textarea')) setTimeout(dismiss, 150); });
document.addEventListener('keydown', event => {
  const text = hit(event, 'bh-comments .composer textarea');
  if (!(text instanceof HTMLTextAreaElement) || !text.form) return;
  if (people) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) { choose(text, step); event.preventDefault(); return; }
    if (event.key === 'Enter' && !event.ctrlKey && !event.metaKey || event.key === 'Tab') { take(text, one('[aria-selected=true]', people)); event.preventDefault(); return; }
    if (event.key === 'Escape') { dismiss(); event.stopPropagation(); event.preventDefault(); return; }
  }
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) { event.preventDefault(); text.form.requestSubmit(); }
  else if (event.key === 'Escape' && (text.form.dataset.reply || text.form.closest('article'))) one('[data-cancel]', text.form)?.click();
}, true);

// Last: an element that is on the page already starts at once, and needs all of the above.
customElements.define('bh-comments', Comments);
