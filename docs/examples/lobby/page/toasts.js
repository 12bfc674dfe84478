import { byId, element } from './dom.js';

const SHOWN_MAX = 3;
const SHOWN_MS = 6_000;

const holder = byId('toasts');

/** Says something in passing. */
export function toast(level, sentence) {
  const view = element('p', { className: 'toast', dataset: { level } }, sentence);
  holder.append(view);
  while (holder.childElementCount > SHOWN_MAX) holder.firstElementChild.remove();
  setTimeout(() => view.remove(), SHOWN_MS);
}
