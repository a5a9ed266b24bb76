// A .vsix of an unpacked extension, made with what Debian brings: a zip with two files of packaging around it.
import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const contentTypes = `<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
  <Default Extension=".json" ContentType="application/json"/>
  <Default Extension=".js" ContentType="application/javascript"/>
  <Default Extension=".vsixmanifest" ContentType="text/xml"/>
</Types>`;

/**
 * @param {string} extensionDir
 * @param {string} workDir an empty folder to work in
 * @returns {Promise<string>} path of the .vsix in it
 */
export async function packVsix(extensionDir, workDir) {
  const { name, publisher, version } = JSON.parse(await readFile(join(extensionDir, 'package.json'), 'utf8'));
  const content = join(workDir, 'content');
  await mkdir(content);
  await cp(extensionDir, join(content, 'extension'), { recursive: true });
  await writeFile(join(content, '[Content_Types].xml'), contentTypes);
  await writeFile(join(content, 'extension.vsixmanifest'), manifest(name, publisher, version));
  const vsix = join(workDir, `${name}.vsix`);
  const parts = ['extension', '[Content_Types].xml', 'extension.vsixmanifest'];
  await promisify(execFile)('python3', ['-m', 'zipfile', '-c', vsix, ...parts], { cwd: content });
  return vsix;
}

/**
 * @param {string} name
 * @param {string} publisher
 * @param {string} version
 */
const manifest = (name, publisher, version) => `<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">
  <Metadata>
    <Identity Language="en-US" Id="${name}" Version="${version}" Publisher="${publisher}"/>
    <DisplayName>${name}</DisplayName>
  </Metadata>
  <Installation><InstallationTarget Id="Microsoft.VisualStudio.Code"/></Installation>
  <Assets>
    <Asset Type="Microsoft.VisualStudio.Code.Manifest" Path="extension/package.json" Addressable="true"/>
  </Assets>
</PackageManifest>`;
