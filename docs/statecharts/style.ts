/** The hues of the outermost states: in light surroundings, in dark ones. */
const tones: Readonly<Record<string, readonly [light: string, dark: string]>> = {
  violet: ['#6446bd', '#b9a5f7'],
  green: ['#0d7049', '#55d6a0'],
  amber: ['#885100', '#f2b65c'],
  red: ['#b3261e', '#ff8f86'],
  blue: ['#1d5fa8', '#86bcf7'],
  gray: ['#536573', '#9cadba'],
  pink: ['#9c2168', '#f593c9'],
};

const surroundings: Readonly<Record<string, readonly [light: string, dark: string]>> = {
  ground: ['#ffffff', '#111e29'],
  frame: ['#d9e3ea', '#233543'],
  ink: ['#14283a', '#e2ebf2'],
  soft: ['#4b6073', '#a3b5c4'],
  wire: ['#8496a5', '#74899a'],
};

/**
 * The style of every picture, part of it, so that it is the same in an image and inside a page.
 *
 * Every selector begins with the class of the picture: inside a page it must not touch anything else.
 */
export function pictureStyle(): string {
  const toneRules = Object.keys(tones).map(
    (name) => `.statechart .${name} { --tone: var(--statechart-${name}) }`,
  );
  return [
    `.statechart { color-scheme: light dark; ${variables(0)} }`,
    `@media (prefers-color-scheme: dark) { .statechart { ${variables(1)} } }`,
    ...toneRules,
    RULES.trim(),
  ].join('\n');
}

function variables(scheme: 0 | 1): string {
  return Object.entries({ ...surroundings, ...tones })
    .map(([name, colors]) => `--statechart-${name}: ${colors[scheme]}`)
    .join('; ');
}

const RULES = `
.statechart text { font: 11px ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: var(--statechart-soft) }
.statechart text.name { font: 650 14px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; fill: var(--statechart-ink) }
.statechart .order { fill: var(--tone, var(--statechart-soft)) }
.statechart .ground { fill: var(--statechart-ground); stroke: var(--statechart-frame) }
.statechart .box { fill: var(--statechart-ground); stroke: var(--tone); stroke-width: 1.4; transition: fill 0.3s, fill-opacity 0.3s }
.statechart .outer > .box { fill: var(--tone); fill-opacity: 0.06; stroke-opacity: 0.75 }
.statechart .region > .box { fill: none; stroke-dasharray: 4 4; stroke-width: 1; stroke-opacity: 0.8 }
.statechart .inner { fill: none; stroke: var(--tone); stroke-width: 1.4 }
.statechart .first { fill: var(--tone) }
.statechart .icon { fill: none; stroke: var(--statechart-soft); stroke-width: 1.1; stroke-linecap: round }
.statechart .start { fill: var(--statechart-ink) }
.statechart .arrow > path { fill: none; stroke: var(--tone, var(--statechart-wire)); stroke-width: 1.2; stroke-opacity: 0.8 }
.statechart .anywhere { fill: var(--statechart-ground); stroke: var(--statechart-wire); stroke-width: 1.4 }
.statechart .arrow > polygon { fill: var(--tone, var(--statechart-wire)); stroke: none }
.statechart .arrow text { paint-order: stroke; stroke: var(--statechart-ground); stroke-width: 3px; stroke-linejoin: round }
.statechart .main { --tone: var(--statechart-ink) }
.statechart .main > path { stroke-width: 2.4; stroke-opacity: 1 }
.statechart .main text { fill: var(--statechart-ink); font-weight: 600 }
.statechart .legend text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif }
.statechart .legend text.stay { font: 11px ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace }
.statechart .legend { --tone: var(--statechart-soft) }
.statechart .legend .thick { stroke: var(--statechart-ink); stroke-width: 2.4 }
.statechart .badge { display: none }
.statechart .badge rect { fill: var(--tone); stroke: var(--statechart-ground); stroke-width: 1.5 }
.statechart .badge text { fill: var(--statechart-ground); font-weight: 700; text-anchor: middle }
.statechart .state[data-count] > .badge { display: inline }
.statechart .is-active > .box { stroke-width: 2.6; stroke-opacity: 1 }
.statechart .is-active.leaf > .box { fill: var(--tone) }
.statechart .is-active.leaf > text { fill: var(--statechart-ground) }
.statechart .is-active.leaf > .first { fill: var(--statechart-ground) }
.statechart .is-active.leaf > .icon { stroke: var(--statechart-ground) }
.statechart .is-active.leaf > .inner { stroke: var(--statechart-ground) }
`;
