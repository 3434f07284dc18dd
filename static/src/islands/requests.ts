// htmx: the CSRF token goes with every request, and a control that is busy shows it.
import { all, hit, one, toast } from './dom.ts';

interface RequestDetail { ctx: { request: { headers: Record<string, string>; method: string }; sourceElement: Element; response?: { status: number } } }

document.addEventListener('htmx:config:request', event => {
  const { ctx } = (event as CustomEvent<RequestDetail>).detail;
  const token = one<HTMLMetaElement>('meta[name=csrf-token]')?.content;
  if (token) ctx.request.headers['X-CSRFToken'] = token;
});
document.addEventListener('htmx:before:request', event => busy(event, true));
document.addEventListener('htmx:finally:request', event => busy(event, false));
document.addEventListener('htmx:error', () => toast('The server did not answer', 'Nothing was changed. Try again in a moment.', 'bad'));

const busy = (event: Event, on: boolean): void => {
  const source = (event as CustomEvent<RequestDetail>).detail.ctx.sourceElement;
  const button = source.matches('form') ? source.querySelector('button[type=submit], button:not([type])') : source;
  if (button instanceof HTMLButtonElement) on ? button.setAttribute('aria-busy', 'true') : button.removeAttribute('aria-busy');
};

// A plain form is sent once: the second click of a double click does nothing.
document.addEventListener('submit', event => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || event.defaultPrevented || form.method.toLowerCase() !== 'post') return;
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = 'true';
  all('button[type=submit], button:not([type])', form).forEach(button => button.setAttribute('aria-busy', 'true'));
});
addEventListener('pageshow', () => all<HTMLFormElement>('form[data-sent]').forEach(form => { delete form.dataset.sent; all('[aria-busy]', form).forEach(b => b.removeAttribute('aria-busy')); }));

// A select or switch that acts at once sends its form.
document.addEventListener('change', event => {
  const control = hit(event, '[data-submit]');
  control?.closest('form')?.requestSubmit();
});
