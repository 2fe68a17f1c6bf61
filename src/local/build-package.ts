/**
 * `npm run build`: compiles what services and browsers install into `dist/`, with a manifest of its own.
 *
 * `dist/` is the package (`npm pack ./dist`): this project's manifest also names what runs the service, such as a binary
 * of Node that would take the place of the consumer's.
 */
import { execFile } from 'node:child_process'
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import { projectRoot } from './project.ts'

const run = promisify(execFile)
const distFolder = join(projectRoot, 'dist')

const conditions = z.object({ types: z.string(), default: z.string() })
const manifestSchema = z.object({
  name: z.string(),
  version: z.string(),
  description: z.string(),
  license: z.string(),
  exports: z.record(z.string(), z.union([conditions, z.string()])),
  dependencies: z.object({ jose: z.string() }),
})

/** The manifest of the package, from the text of the project's. */
function packageManifest(text: string): object {
  const { name, version, description, license, exports, dependencies } = manifestSchema.parse(JSON.parse(text))
  const inDist = (path: string) => path.replace('./dist/', './')
  const entries = Object.entries(exports).map(([subpath, target]) => [
    subpath,
    typeof target === 'string' ? target : { types: inDist(target.types), default: inDist(target.default) },
  ])
  const types = Object.entries(exports).flatMap(([subpath, target]) =>
    typeof target === 'string' ? [] : [[subpath.slice('./'.length), [inDist(target.types)]]],
  )
  return {
    name,
    version,
    description,
    license,
    type: 'module',
    // The versions that give ES modules to `require`.
    engines: { node: '^20.19.0 || >=22.12.0' },
    // For TypeScript's older way to resolve, which does not read `exports`.
    typesVersions: { '*': Object.fromEntries(types) },
    exports: Object.fromEntries(entries),
    dependencies: { jose: dependencies.jose },
    peerDependencies: { hono: '>=4' },
    peerDependenciesMeta: { hono: { optional: true } },
  }
}

await rm(distFolder, { recursive: true, force: true })
const tsc = join(projectRoot, 'node_modules', 'typescript', 'bin', 'tsc')
for (const part of ['verifier', 'browser'])
  await run(process.execPath, [tsc, '-p', join(projectRoot, 'src', part, 'tsconfig.build.json')])
const manifest = packageManifest(await readFile(join(projectRoot, 'package.json'), 'utf8'))
await writeFile(join(distFolder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
for (const file of ['README.md', 'LICENSE']) await copyFile(join(projectRoot, file), join(distFolder, file))
