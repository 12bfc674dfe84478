import { colorVariables, MONO, SANS, surroundings, tones } from '../../docs/statecharts/palette.ts';

const { ground, frame, ink, soft } = surroundings;
const { green, violet, gray } = tones;
const colors = { ground, frame, ink, soft, green, violet, gray };

/** The style of the picture, as part of it. */
export function plotStyle(): string {
  return [
    `.benchmarks { color-scheme: light dark; ${colorVariables('benchmarks', colors, 0)} }`,
    `@media (prefers-color-scheme: dark) { .benchmarks { ${colorVariables('benchmarks', colors, 1)} } }`,
    RULES.trim(),
  ].join('\n');
}

const RULES = `
.benchmarks text { font: 11px ${MONO}; fill: var(--benchmarks-soft) }
.benchmarks text.title { font: 650 14px ${SANS}; fill: var(--benchmarks-ink) }
.benchmarks text.unit { font: 12px ${SANS} }
.benchmarks text.tick { text-anchor: middle }
.benchmarks text.level { text-anchor: end }
.benchmarks .ground { fill: var(--benchmarks-ground); stroke: var(--benchmarks-frame) }
.benchmarks .grid { stroke: var(--benchmarks-frame); stroke-width: 1 }
.benchmarks .curve { fill: none; stroke: var(--tone); stroke-width: 1.6; stroke-linejoin: round; stroke-linecap: round }
.benchmarks .dot { fill: var(--benchmarks-ground); stroke: var(--tone); stroke-width: 1.6 }
.benchmarks .label { fill: var(--tone) }
.benchmarks .mooring { --tone: var(--benchmarks-green) }
.benchmarks .ws { --tone: var(--benchmarks-violet) }
.benchmarks .bare { --tone: var(--benchmarks-gray) }
.benchmarks .mooring .curve { stroke-width: 2.8 }
.benchmarks .mooring .dot { fill: var(--tone) }
.benchmarks .mooring .label { font-weight: 700 }
.benchmarks .bare .curve { stroke-dasharray: 5 4 }
`;
