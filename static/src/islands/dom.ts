// Two short names for looking things up, and the few helpers that more than one island needs.
export const one = <T extends Element = HTMLElement>(selector: string, root: ParentNode = document): T | null => root.querySelector<T>(selector);
export const all = <T extends Element = HTMLElement>(selector: string, root: ParentNode = document): T[] => [...root.querySelectorAll<T>(selector)];

/** The element that the event hit, when it lies in something that matches. */
export const hit = (event: Event, selector: string): HTMLElement | null =>
  event.target instanceof Element ? event.target.closest<HTMLElement>(selector) : null;

/** Is the person typing, so that single keys are letters and not commands? Looks into shadow trees, where editors live. */
export const typing = (event: Event): boolean => {
  const target = event.composedPath()[0];
  return target instanceof HTMLElement && (target.isContentEditable || target.matches('input, textarea, select, [role=textbox]'));
};

/** Keep a choice about looks where the server sees it, so that the next page is right at the first paint. */
export const remember = (name: string, value: string): void => {
  const secure = location.protocol === 'https:' ? '; Secure' : '';
  document.cookie = `${name}=${encodeURIComponent(value)}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
};

export const icon = (name: string, extra = ''): SVGSVGElement => {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('class', `icon ${extra}`.trim());
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', `${document.documentElement.dataset.icons ?? ''}#i-${name}`);
  svg.append(use);
  return svg;
};

/** A message at the bottom right that goes away by itself, unless it says that something went wrong. */
export const toast = (title: string, text = '', tone: 'ok' | 'bad' = 'ok'): void => {
  const box = document.createElement('div');
  box.className = 'toast';
  box.append(icon(tone === 'ok' ? 'circle-check' : 'circle-x', tone));
  const words = document.createElement('div');
  words.className = 'grow';
  const head = document.createElement('b');
  head.textContent = title;
  words.append(head);
  if (text) words.append(Object.assign(document.createElement('p'), { textContent: text }));
  const close = Object.assign(document.createElement('button'), { type: 'button', className: 'btn sm sq ghost', title: 'Dismiss' });
  close.setAttribute('aria-label', 'Dismiss');
  close.append(icon('x'));
  close.addEventListener('click', () => box.remove());
  box.append(words, close);
  one('#toasts')?.append(box);
  if (tone === 'ok') setTimeout(() => box.remove(), 6000);
};
