import { escapeText, rounded } from './markup.ts';
import { type Line, sizes } from './measure.ts';

/** Draws one line of small text. `x` and `y` are the start of its baseline. */
export function lineView({ kind, text, order }: Line, x: number, y: number): string {
  const hasIcon = kind === 'deadline' || kind === 'stay';
  const icon = hasIcon ? iconView(kind, x + 4.5, y - 3.5) : '';
  const textX = rounded(x + (hasIcon ? sizes.icon : 0));
  const given = order === undefined ? '' : `<tspan class="order"> ${escapeText(order)}</tspan>`;
  return `${icon}<text class="${kind}" x="${textX}" y="${rounded(y)}">${escapeText(text)}${given}</text>`;
}

/** A clock for a deadline, a returning ring for a fact that changes nothing. */
function iconView(kind: 'deadline' | 'stay', x: number, y: number): string {
  const path =
    kind === 'deadline'
      ? 'M-4.2 0a4.2 4.2 0 1 0 8.4 0a4.2 4.2 0 1 0-8.4 0M0-2.4V0l1.7 1.2'
      : 'M3.4-2.4A4.2 4.2 0 1 0 4.2 .6M4-4.4V-2H1.6';
  return `<path class="icon" transform="translate(${rounded(x)} ${rounded(y)})" d="${path}"/>`;
}
