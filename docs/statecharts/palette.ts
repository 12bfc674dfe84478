/** A color in a light theme and in a dark one. */
export type Color = readonly [light: string, dark: string];

/** Hues for distinguishing things. */
export const tones = {
  violet: ['#6446bd', '#b9a5f7'],
  green: ['#0d7049', '#55d6a0'],
  amber: ['#885100', '#f2b65c'],
  red: ['#b3261e', '#ff8f86'],
  blue: ['#1d5fa8', '#86bcf7'],
  gray: ['#536573', '#9cadba'],
  pink: ['#9c2168', '#f593c9'],
} as const satisfies Record<string, Color>;

/** Colors of the background and the neutral parts. */
export const surroundings = {
  ground: ['#ffffff', '#111e29'],
  frame: ['#d9e3ea', '#233543'],
  ink: ['#14283a', '#e2ebf2'],
  soft: ['#4b6073', '#a3b5c4'],
  wire: ['#8496a5', '#74899a'],
} as const satisfies Record<string, Color>;

/** The fonts of all pictures. */
export const MONO =
  'ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace';
export const SANS =
  'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif';

/** The colors as variables of a style sheet, for one theme. */
export function colorVariables(
  prefix: string,
  colors: Readonly<Record<string, Color>>,
  scheme: 0 | 1,
): string {
  return Object.entries(colors)
    .map(([name, shades]) => `--${prefix}-${name}: ${shades[scheme]}`)
    .join('; ');
}
