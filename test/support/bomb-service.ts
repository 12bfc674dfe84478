/** The program that receives the bombs: one supervisor for each library and bomb, and one that echoes. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { attach, createSupervisor, type SupervisorOptions } from '../../src/index.ts';
import { bombLibraries, bombPath, bombs } from './bombs.ts';

const server = createServer();

function serve(path: string, options: SupervisorOptions): void {
  const supervisor = createSupervisor(options);
  attach(server, supervisor, { path });
}

serve('/echo', { onMessage: (connection, message) => connection.send(message) });
for (const [library, schemaOf] of Object.entries(bombLibraries)) {
  for (const bomb of bombs) serve(bombPath(library, bomb), { messages: schemaOf(bomb) });
}

server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('disconnect', () => process.exit());
