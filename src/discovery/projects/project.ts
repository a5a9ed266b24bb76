// What a reader of one ecosystem makes of a folder: the servers that are developed there, each with the command that
// would start it and the reason to think so. A guess is shown, never run without being agreed to.
import type { WalkedFolder } from './walk.ts';

export type Guess = {
  name: string;
  command: string;
  args: string[];
  /** One sentence for the person who decides. */
  reason: string;
  confidence: 'high' | 'medium' | 'low';
  /** What has to be done before it can run as said. */
  problem?: string;
  /** The file that says so, and the line from 1. */
  file: string;
  line?: number;
};

/** The text of a file of the folder, `undefined` where it cannot be read. */
export type ReadFile = (...path: string[]) => Promise<string | undefined>;

/** Never throws: what cannot be understood is no project. */
export type ProjectReader = (folder: WalkedFolder, read: ReadFile) => Promise<Guess[]>;

/** How a server's source speaks, as far as one can see. */
export type Speech = 'stdio' | 'http' | 'unknown';

const STDIO =
  /StdioServerTransport|serveStdio|StdioTransport|stdio_server|transport\s*[=:]\s*['"]stdio|rmcp::transport::(?:io::)?stdio|WithStdioServerTransport|\bstdio\(\)/;
const HTTP =
  /StreamableHTTP|StreamableHttp|streamable[-_]http|SSEServerTransport|createMcpHandler|transport\s*[=:]\s*['"](?:sse|http)|WithHttpTransport|MapMcp/;

export function speechOf(source: string | undefined): Speech {
  if (source === undefined) return 'unknown';
  if (STDIO.test(source)) return 'stdio';
  return HTTP.test(source) ? 'http' : 'unknown';
}

export const listensByItself = 'it listens on HTTP: start it, then expose its URL';
