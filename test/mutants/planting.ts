import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../package/repository.ts';
import type { Mutant } from './mutant.ts';

/** What is made from the rest. */
const MADE = ['node_modules', '.git', '.test', 'dist'];

/** A copy of the project in which faults are planted, one at a time. */
export class Planting {
  readonly folder: string;

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'mooring-mutants-'));
    for (const name of readdirSync(root)) {
      if (!MADE.includes(name))
        cpSync(join(root, name), join(this.folder, name), { recursive: true });
    }
    symlinkSync(join(root, 'node_modules'), join(this.folder, 'node_modules'));
  }

  /** Compiles the copy. Type errors do not matter: a fault is a fault, whatever its types. */
  compile(): void {
    const tsc = join(root, 'node_modules', '.bin', 'tsc');
    spawnSync(tsc, ['-p', 'test'], { cwd: this.folder });
    spawnSync(process.execPath, ['.test/test/self-reference.js'], { cwd: this.folder });
  }

  /** Plants one fault and compiles. Returns a function that removes the fault. */
  plant({ file, from, to }: Mutant): () => void {
    const path = join(this.folder, file);
    const healthy = readFileSync(path, 'utf8');
    writeFileSync(
      path,
      healthy.replace(from, () => to),
    );
    this.compile();
    return () => writeFileSync(path, healthy);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}
