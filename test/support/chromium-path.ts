import { existsSync } from 'node:fs';

/** The path of Chromium. @throws Error that explains how to install it. */
export function chromiumPath(): string {
  const path = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
  if (existsSync(path)) return path;
  throw new Error(
    `Chromium is not at ${path}. Install it (on Debian: apt-get install --no-install-recommends ` +
      'chromium) or name its path in the environment variable CHROMIUM.',
  );
}

/** The arguments of every Chromium here. */
export const chromiumFlags: readonly string[] = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
