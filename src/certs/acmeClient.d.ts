// Types for the one file of acme-client that is used: its index brings all of node-forge along.
declare module 'acme-client/src/client.js' {
  import type { Client } from 'acme-client';

  const client: typeof Client;
  export = client;
}
