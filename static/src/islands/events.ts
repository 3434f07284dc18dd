// What is live: one stream per visible page of a workspace, opened once the page has settled and only when something follows it.
// An event names a topic; whoever follows it asks the server anew, as the reader may. After a gap everything is asked anew.
import { all, one } from './dom.ts';

type Call = () => void;
const followers = new Map<string, Set<Call>>();
const RETRY = [1, 2, 5, 10, 30, 60];
let source: EventSource | null = null;
let opened = '';
let failed = 0;
let gap = false;
let timer = 0;

/** Call `call` when a topic changed, until the returned function is called. */
export const follow = (topic: string, call: Call): Call => {
  const calls = followers.get(topic) ?? new Set<Call>();
  followers.set(topic, calls.add(call));
  plan(300);
  return () => {
    calls.delete(call);
    if (!calls.size) followers.delete(topic);
  };
};

const tell = (topic: string): void => followers.get(topic)?.forEach(call => call());
const tellAll = (): void => [...followers.keys()].forEach(tell);
const wanted = (): string => [...followers.keys()].sort().slice(0, 30).map(topic => `topic=${encodeURIComponent(topic)}`).join('&');

const plan = (milliseconds: number): void => {
  clearTimeout(timer);
  timer = window.setTimeout(connect, milliseconds);
};

const leave = (): void => { source?.close(); source = null; opened = ''; };

const connect = (): void => {
  const workspace = one('.app')?.dataset.workspace, query = wanted();
  // A page that nobody looks at holds no connection: browsers keep only six to a host, over all tabs.
  if (!workspace || !query || document.hidden || query === opened) return;
  leave();
  opened = query;
  const stream = source = new EventSource(`/w/${workspace}/events?${query}`);
  stream.addEventListener('open', () => {
    failed = 0;
    if (gap) tellAll();
    gap = false;
  });
  stream.addEventListener('message', event => tell((JSON.parse(event.data as string) as { topic: string }).topic));
  stream.addEventListener('all', tellAll);
  stream.addEventListener('error', () => {
    gap = true;
    // The browser comes back by itself after a break, but not after a refusal.
    if (stream.readyState !== EventSource.CLOSED || stream !== source) return;
    leave();
    plan((RETRY[Math.min(failed++, RETRY.length - 1)] ?? 60) * 1000 * (0.8 + Math.random() * 0.4));
  });
};

document.addEventListener('visibilitychange', () => {
  if (document.hidden) { gap = gap || source !== null; leave(); }
  else plan(0);
});
addEventListener('pagehide', leave);
// Back from the browser's memory: what is shown is as old as the visit.
addEventListener('pageshow', event => { if (event.persisted) { gap = true; plan(0); } });
const start = (): void => plan(1200);
if (document.readyState === 'complete') start(); else addEventListener('load', start);

/** A piece of the page as the server prints it now, or null when it is not to be had. */
export const ask = async (src: string, target = ''): Promise<string | null> => {
  const answer = await fetch(src, { headers: { 'HX-Request': 'true', 'HX-Request-Type': 'partial', 'HX-Target': `div#${target}` } });
  return answer.ok && !answer.redirected ? answer.text() : null;
};

/** Put markup of the server into a place, its htmx attributes alive. */
export const fill = (place: Element, markup: string): void => {
  place.innerHTML = markup;
  (window as unknown as { htmx: { process(root: Element): void } }).htmx.process(place);
};

/** <bh-live topic src [target]>: asks `src` when the topic changed and puts the answer in itself, or into the element with the id `target`. */
class Live extends HTMLElement {
  #stop: Call = () => undefined;
  #asking = false;
  #again = false;

  connectedCallback(): void { this.#stop = follow(this.getAttribute('topic') ?? '', () => void this.#ask()); }
  disconnectedCallback(): void { this.#stop(); }

  async #ask(): Promise<void> {
    if (this.#asking) { this.#again = true; return; }
    this.#asking = true;
    const target = this.getAttribute('target') ?? '';
    const text = await ask(this.getAttribute('src') ?? '', target).catch(() => null);
    const place = target ? document.getElementById(target) : this;
    if (text !== null && place?.isConnected) {
      const held = place.contains(document.activeElement) ? document.activeElement?.getAttribute('href') : null;
      fill(place, text);
      if (held) all<HTMLAnchorElement>('a', place).find(link => link.getAttribute('href') === held)?.focus({ preventScroll: true });
    }
    this.#asking = false;
    if (this.#again) { this.#again = false; void this.#ask(); }
  }
}
customElements.define('bh-live', Live);

// The bell's popover asks for its list whenever it opens, and when one turns between unread and all.
const latest = async (button: HTMLElement): Promise<void> => {
  all('[data-latest]').forEach(other => other.setAttribute('aria-pressed', String(other === button)));
  const list = one('#latest');
  const text = await ask(button.dataset.latest ?? '').catch(() => null);
  if (list) fill(list, text ?? '<p class="pad muted t12">The server did not answer. Open it again in a moment.</p>');
};
document.addEventListener('click', event => {
  if (!(event.target instanceof Element)) return;
  const choice = event.target.closest<HTMLElement>('[data-latest]');
  const bell = event.target.closest('.bell');
  if (choice) void latest(choice);
  else if (bell && !one('#notifications')?.hidden) { const first = one('[data-latest]'); if (first) void latest(first); }
});
