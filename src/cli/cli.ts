// dist/cli.js: the command `mcp-tunnel`. The product itself is in helper.js beside it, once.
import type * as product from './product.ts';

const { runCli } = require('./helper.js') as typeof product;
void runCli(process.argv);
