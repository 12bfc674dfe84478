/** Colors in light surroundings and in dark ones: those of the pictures of the charts. */
const colors: Readonly<Record<string, readonly [light: string, dark: string]>> = {
  ground: ['#ffffff', '#111e29'],
  frame: ['#d9e3ea', '#233543'],
  ink: ['#14283a', '#e2ebf2'],
  soft: ['#4b6073', '#a3b5c4'],
  green: ['#0d7049', '#55d6a0'],
  violet: ['#6446bd', '#b9a5f7'],
  amber: ['#885100', '#f2b65c'],
  gray: ['#536573', '#9cadba'],
};

/** The style of the picture, part of it. */
export function plotStyle(): string {
  return [
    `.benchmarks { color-scheme: light dark; ${variables(0)} }`,
    `@media (prefers-color-scheme: dark) { .benchmarks { ${variables(1)} } }`,
    RULES.trim(),
  ].join('\n');
}

function variables(scheme: 0 | 1): string {
  return Object.entries(colors)
    .map(([name, shades]) => `--benchmarks-${name}: ${shades[scheme]}`)
    .join('; ');
}

const MONO =
  '11px ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace';
const SANS =
  'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif';

const RULES = `
.benchmarks text { font: ${MONO}; fill: var(--benchmarks-soft) }
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
