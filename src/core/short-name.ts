import { randomInt } from 'node:crypto';

const RADIX = 36;
const LENGTH = 6;

/** A random name of six digits and lowercase letters, for something that is new each time a process starts. */
export function shortName(): string {
  return randomInt(RADIX ** LENGTH)
    .toString(RADIX)
    .padStart(LENGTH, '0');
}

/** The same with twelve characters, where two that are alike do harm: of 10,000 short names, two are alike in 1 of 50 cases. */
export function longName(): string {
  return shortName() + shortName();
}
