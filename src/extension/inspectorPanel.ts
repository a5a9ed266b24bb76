// The inspector's panel: one for each window, shown beside the editor, brought back after a reload.
// Its page runs under a policy that lets it load its own script and style and nothing else.
import { randomBytes } from 'node:crypto';
import { Uri, ViewColumn, window, type Disposable, type WebviewPanel } from 'vscode';
import { inspectorViewType } from './commandIds.ts';
import { serveInspector, type InspectorHostOptions, type ServedPage } from './inspectorHost.ts';
import { t } from './vscodeTranslate.ts';
import { acceptPages } from './webviewPort.ts';

export type InspectorPanelOptions = Omit<InspectorHostOptions, 'visible'> & { extensionUri: Uri };

export class InspectorPanel {
  readonly #options: InspectorPanelOptions;
  #panel: WebviewPanel | undefined;
  #page: ServedPage | undefined;
  /** What the next page shall show; a page keeps its own choice after that. */
  #wanted: { tunnel: string | undefined } | undefined;

  constructor(options: InspectorPanelOptions) {
    this.#options = options;
  }

  /** Opens the panel, or brings it to the front, on `tunnel` or on all of them. */
  show(tunnel: string | undefined): void {
    this.#wanted = { tunnel };
    if (this.#panel) {
      this.#panel.reveal();
      if (this.#page) this.#tell(this.#page);
      return;
    }
    this.#adopt(
      window.createWebviewPanel(inspectorViewType, t('MCP Inspector'), ViewColumn.Active, this.#webviewOptions()),
    );
  }

  /** For the panel of the window before a reload. */
  register(): Disposable {
    return window.registerWebviewPanelSerializer(inspectorViewType, {
      deserializeWebviewPanel: async (panel) => {
        panel.webview.options = this.#webviewOptions();
        this.#adopt(panel);
      },
    });
  }

  #tell(page: ServedPage): void {
    if (this.#wanted) page.select(this.#wanted.tunnel);
    this.#wanted = undefined;
  }

  #webviewOptions(): { enableScripts: true; localResourceRoots: Uri[] } {
    return { enableScripts: true, localResourceRoots: [Uri.joinPath(this.#options.extensionUri, 'dist', 'webview')] };
  }

  #adopt(panel: WebviewPanel): void {
    this.#panel?.dispose();
    this.#panel = panel;
    panel.iconPath = Uri.joinPath(this.#options.extensionUri, 'media', 'activity-bar.svg');
    const pages = acceptPages(panel.webview, (port) => {
      this.#page = serveInspector(port, {
        ...this.#options,
        visible: () => panel.visible,
      });
      this.#tell(this.#page);
    });
    panel.onDidChangeViewState(() => this.#page?.setVisible(panel.visible));
    panel.onDidDispose(() => {
      this.#page?.setVisible(false);
      pages.dispose();
      this.#page = undefined;
      if (this.#panel === panel) this.#panel = undefined;
    });
    panel.webview.html = page(panel, this.#options.extensionUri);
  }
}

function page({ webview, title }: WebviewPanel, extensionUri: Uri): string {
  const at = (file: string): string =>
    webview.asWebviewUri(Uri.joinPath(extensionUri, 'dist', 'webview', file)).toString();
  const nonce = randomBytes(16).toString('base64url');
  const policy = `default-src 'none'; script-src 'nonce-${nonce}'; style-src ${webview.cspSource}`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="stylesheet" href="${at('inspector.css')}">
</head>
<body>
<mcp-inspector></mcp-inspector>
<script type="module" nonce="${nonce}" src="${at('inspector.js')}"></script>
</body>
</html>`;
}
