// data-copy: the text itself, or "#id" of the element whose value or text is meant. Says so on the button.
import { hit, toast } from './dom.ts';

const textOf = (wanted: string): string => {
  const source = wanted.startsWith('#') ? document.getElementById(wanted.slice(1)) : null;
  if (!source) return wanted;
  return source instanceof HTMLInputElement || source instanceof HTMLTextAreaElement ? source.value : source.textContent ?? '';
};

const copyText = async (text: string): Promise<void> => {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = Object.assign(document.createElement('textarea'), { value: text });
  (document.querySelector('dialog[open]') ?? document.body).append(field);
  field.select();
  const done = document.execCommand('copy');
  field.remove();
  if (!done) throw new Error('refused');
};

document.addEventListener('click', event => {
  const button = hit(event, '[data-copy]');
  if (!button) return;
  const code = button.closest('.code');
  const wanted = button.dataset.copy ?? '';
  const text = wanted === '' && code ? code.querySelector('pre:not([hidden])')?.textContent ?? '' : textOf(wanted);
  copyText(text).then(() => toast('Copied', text.length > 80 ? `${text.slice(0, 80)}…` : text), () => toast('The browser did not allow copying', 'Select the text and copy it by hand.', 'bad'));
});
