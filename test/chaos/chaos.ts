/**
 * `npm run chaos -- --seconds N --seed N`: nodes, clients and the engine fail at random, and every acknowledged message is counted
 * at every client. The last line is the account. Fails if a message is missing, doubled or out of order.
 */
import { parseArgs } from 'node:util';
import { wholeNumber } from '../support/whole-number.ts';
import { ChaosRun, isSound } from './chaos-run.ts';
import { plants } from './plants.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '45' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    plant: { type: 'string' },
  },
});
const { plant = null } = values;
if (plant !== null && !(plant in plants))
  throw new Error(`--plant must be one of ${Object.keys(plants).join(', ')}`);
const seconds = wholeNumber('--seconds', values.seconds, { least: 1, most: 86_400 });
const seed = wholeNumber('--seed', values.seed, { least: 0, most: 2 ** 31 });

const result = await ChaosRun.play({ seconds, seed, plant, say: console.log });
const { checked, missing, doubled, disordered, told, findings, faults } = result;
for (const line of new Set([...findings, ...faults])) console.log(line);
console.log(
  `checked ${checked}, missing ${missing}, doubled ${doubled}, disordered ${disordered}, told ${told}`,
);
process.exitCode = isSound(result) ? 0 : 1;
