import type { IncomingMessage, ServerResponse } from 'node:http';

// The parts of Next.js that the recipe uses. The types of Next.js itself would redeclare `process.env` for this whole repository.

export interface NextServer {
  prepare(): Promise<void>;
  getRequestHandler(): (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  close(): Promise<void>;
}

export default function next(options: { dev?: boolean; port?: number }): NextServer;
