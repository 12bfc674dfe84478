import type { IncomingMessage, ServerResponse } from 'node:http';

// The parts of Next that the recipe uses. Next's own types would declare `process.env` anew for this whole repository.

export interface NextServer {
  prepare(): Promise<void>;
  getRequestHandler(): (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  close(): Promise<void>;
}

export default function next(options: { dev?: boolean; port?: number }): NextServer;
