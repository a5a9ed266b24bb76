// The inspector's page starts here.
import type { InspectorApp } from './inspectorApp.ts';
import './inspectorApp.ts';
import { vscodeHost } from './vscodePort.ts';

const app = document.querySelector<InspectorApp>('mcp-inspector');
app?.start(vscodeHost());
