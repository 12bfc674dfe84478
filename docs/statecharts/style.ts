import { colorVariables, MONO, SANS, surroundings, tones } from './palette.ts';

/** The hues of the outermost states, and what is around them. */
const colors = { ...surroundings, ...tones };

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
    `.statechart { color-scheme: light dark; ${colorVariables('statechart', colors, 0)} }`,
    `@media (prefers-color-scheme: dark) { .statechart { ${colorVariables('statechart', colors, 1)} } }`,
    ...toneRules,
    RULES.trim(),
  ].join('\n');
}

const RULES = `
.statechart text { font: 11px ${MONO}; fill: var(--statechart-soft) }
.statechart text.name { font: 650 14px ${SANS}; fill: var(--statechart-ink) }
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
.statechart .legend text { font: 12px ${SANS} }
.statechart .legend text.stay { font: 11px ${MONO} }
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
