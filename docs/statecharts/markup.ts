/** Text escaped for markup, between tags or in an attribute. */
export function escapeText(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** A coordinate to a tenth of a pixel: more is invisible, and every machine computes the same. */
export function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
