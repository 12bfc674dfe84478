import { colorVariables, MONO, SANS, surroundings, tones } from './palette.ts';

/** The hues of the outermost states, and the neutral colors. */
const colors = { ...surroundings, ...tones };

/**
 * The style of every picture, as part of it, so that it is the same in an image and inside a page.
 *
 * Every selector begins with the class of the picture, because inside a page it must not affect
 * anything else.
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

/** How long a step is shown: long enough to read its text and to find it in the chart. */
const STEP_SECONDS = 3.5;

/** What the picture of an example adds to the style of every picture. */
export function exampleStyle(steps: number): string {
  return EXAMPLE_RULES.trim()
    .replaceAll('SHARE', `${Math.round(10_000 / steps) / 100}%`)
    .replaceAll('LOOP', `${steps * STEP_SECONDS}s`)
    .replaceAll('STEP', `${STEP_SECONDS}s`);
}

const EXAMPLE_RULES = `
.statechart .step-title { font: 650 13.5px ${SANS}; fill: var(--statechart-ink) }
.statechart .step-fact { font: 600 13px ${MONO}; fill: var(--statechart-amber); white-space: pre }
.statechart .step-text { font: 13px ${SANS}; fill: var(--statechart-ink) }
.statechart .number rect { fill: var(--statechart-amber) }
.statechart .number text { font: 700 11px ${SANS}; fill: var(--statechart-ground); text-anchor: middle }
.statechart :is(.step, .whole) { visibility: hidden }
.statechart .step { animation: statechart-step LOOP step-end infinite; animation-delay: calc(var(--step) * STEP) }
@keyframes statechart-step { 0% { visibility: visible } SHARE { visibility: hidden } }
.statechart .whole:target { visibility: visible }
.statechart .whole:target ~ .steps > .step { animation: none }
@media (prefers-reduced-motion: reduce) { .statechart .step { animation: none } .statechart .whole { visibility: visible } }
.statechart.has-controls .step { animation: none }
.statechart.has-controls :is(.whole, .step) { visibility: hidden }
.statechart.has-controls .step.is-shown { visibility: visible }
.statechart .button { display: none; cursor: pointer }
.statechart.has-controls .button { display: inline }
.statechart .button rect { fill: var(--statechart-ground); stroke: var(--statechart-soft) }
.statechart .button text { font: 600 13px ${SANS}; fill: var(--statechart-ink); text-anchor: middle }
.statechart .button:focus-visible { outline: none }
.statechart .button:is(:hover, :focus-visible) rect { stroke: var(--statechart-ink); stroke-width: 2.5 }
.statechart .button[aria-disabled="true"] { opacity: 0.45; cursor: default }
`;

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
.statechart .is-taken { --tone: var(--statechart-amber) }
.statechart .is-taken > path { stroke-width: 3.2; stroke-opacity: 1 }
.statechart .is-taken > text { fill: var(--statechart-amber); font-weight: 700 }
.statechart .is-active > .box { stroke-width: 2.6; stroke-opacity: 1 }
.statechart .is-active.leaf > .box { fill: var(--tone) }
.statechart .is-active.leaf > text { fill: var(--statechart-ground) }
.statechart .is-active.leaf > .first { fill: var(--statechart-ground) }
.statechart .is-active.leaf > .icon { stroke: var(--statechart-ground) }
.statechart .is-active.leaf > .inner { stroke: var(--statechart-ground) }
`;
