import { byId, element } from './dom.js';

const SHOWN_MAX = 3;
const SHOWN_MS = 6_000;

const holder = byId('toasts');

/** Shows a message for a few seconds. */
export function toast(level, text) {
  const view = element('p', { className: 'toast', dataset: { level } }, text);
  holder.append(view);
  while (holder.childElementCount > SHOWN_MAX) holder.firstElementChild.remove();
  setTimeout(() => view.remove(), SHOWN_MS);
}
