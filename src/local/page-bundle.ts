/** The page, bundled into a folder. As a command, `node src/local/page-bundle.ts FOLDER`, it is wrangler's build step. */
import { rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { build } from 'esbuild'
import { projectRoot } from './project.ts'

const sources = join(projectRoot, 'src', 'page')

/** Writes `index.html` and what it needs into `folder`, which is emptied first. */
export async function buildPage(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true })
  await build({
    entryPoints: ['index.html', 'page.ts', 'page.css', 'page.svg'].map((name) => join(sources, name)),
    outdir: folder,
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    loader: { '.html': 'copy', '.svg': 'copy' },
    logLevel: 'silent',
  })
}

const [, command, folder] = process.argv
if (command === import.meta.filename && folder) await buildPage(resolve(folder))
