/** The package as npm would publish it, used by strangers. */
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { build } from 'esbuild'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { projectRoot } from '../../src/local/project.ts'
import { startWorkerd } from '../../src/local/workerd-process.ts'
import { audience, createTestIssuer, credentials, type TestIssuer } from '../verifier/support/issuer.ts'

const run = promisify(execFile)
const SIZE_LIMIT_BYTES = 10_000

let folder: string
let tarball: Uint8Array<ArrayBuffer>

/** A project that has installed the package and Hono, and nothing else. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'latchkey-package-'))
  await run('npm', ['run', 'build'], { cwd: projectRoot })
  await run('npm', ['pack', './dist', '--pack-destination', folder], { cwd: projectRoot })
  const name = (await readdir(folder)).find((one) => one.endsWith('.tgz')) ?? ''
  tarball = Uint8Array.from(await readFile(join(folder, name)))
  await run('npm', ['pack', join(projectRoot, 'node_modules', 'jose'), '--pack-destination', folder])
  const jose = (await readdir(folder)).find((one) => one.startsWith('jose-')) ?? ''
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  // The tarball of jose answers for its exact version: nothing comes from a registry.
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', `./${jose}`, `./${name}`], { cwd: folder })
  await symlink(join(projectRoot, 'node_modules', 'hono'), join(folder, 'node_modules', 'hono'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** The issuer over real HTTP, at `url`. */
async function serve(issuer: TestIssuer): Promise<string> {
  const server = createServer(async (req, res) => {
    let body = ''
    for await (const chunk of req) body += String(chunk)
    const { authorization } = req.headers
    const answer = await issuer.fetch(`http://localhost${req.url}`, {
      method: req.method === 'POST' ? 'POST' : 'GET',
      headers: authorization === undefined ? {} : { authorization },
      body,
      redirect: 'manual',
      signal: new AbortController().signal,
    })
    res.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return `http://127.0.0.1:${z.object({ port: z.number() }).parse(server.address()).port}`
}

/** What the clock of this machine says, for verifiers that have no other. */
async function issuerOfToday(): Promise<{ issuer: TestIssuer; url: string }> {
  const issuer = await createTestIssuer()
  issuer.time.issuerMs = Date.now()
  return { issuer, url: await serve(issuer) }
}

it('holds the built modules and nothing of the service', async () => {
  const files = await readdir(join(folder, 'node_modules', 'latchkey'), { recursive: true })
  const roots = new Set(files.map((file) => file.split('/')[0] ?? ''))
  expect([...roots].toSorted()).toEqual(['LICENSE', 'README.md', 'browser', 'package.json', 'verifier'])
})

it('brings jose and nothing else, no command and no other Node', async () => {
  const manifest: unknown = JSON.parse(await readFile(join(folder, 'node_modules', 'latchkey', 'package.json'), 'utf8'))
  const dependencies = z
    .object({ dependencies: z.object({ jose: z.string() }).strict() })
    .loose()
    .parse(manifest)
  expect(Object.keys(dependencies).filter((name) => /dependencies|scripts|bin|private|allow/i.test(name))).toEqual([
    'dependencies',
    'peerDependencies',
    'peerDependenciesMeta',
  ])
  expect(manifest).toMatchObject({
    peerDependencies: { hono: '>=4' },
    peerDependenciesMeta: { hono: { optional: true } },
  })
  const installed = await readdir(join(folder, 'node_modules'))
  expect(installed.filter((name) => name !== '.package-lock.json').toSorted()).toEqual(['hono', 'jose', 'latchkey'])
})

it('has no fault that publint knows of', async () => {
  const { messages, pkg } = await publint({ pack: { tarball: tarball.buffer }, strict: true })
  expect(messages.map((message) => formatMessage(message, pkg ?? {}))).toEqual([])
})

it('has types that resolve however they are looked for', async () => {
  const analysis = await checkPackage(createPackageFromTarballData(tarball))
  if (!analysis.types) throw new Error('no types')
  // CommonJS gets the ES modules by `require`, which Node 20.19 and 22.12 brought.
  const problems = analysis.problems.filter(({ kind }) => kind !== 'CJSResolvesToESM')
  expect(problems).toEqual([])
})

it('verifies in a plain Node project, which ends by itself though nobody closed the verifier', async () => {
  const { issuer, url } = await issuerOfToday()
  issuer.revoke('sid', 'gone')
  const tokens = [await issuer.sign({ iss: url }), await issuer.sign({ iss: url, sid: 'gone' })]
  await writeFile(
    join(folder, 'verify.js'),
    `import { createVerifier } from 'latchkey/verifier'
     import { requireToken } from 'latchkey/verifier/node'
     const verifier = createVerifier(${JSON.stringify({ issuer: url, audience, revocation: 'feed', ...credentials })})
     for (const token of ${JSON.stringify(tokens)}) {
       const { ok, code, checked } = await verifier.verify(token)
       console.log(ok, code ?? checked, typeof requireToken(verifier))
     }`,
  )
  const { stdout } = await run(process.execPath, ['verify.js'], { cwd: folder })
  expect(stdout).toBe('true feed function\nfalse revoked function\n')
})

it('is typed for a project without the types of Node, of the DOM or of Workers', async () => {
  await writeFile(
    join(folder, 'typed.ts'),
    `import { createVerifier, type Verification } from 'latchkey/verifier'
     declare const clientId: string | undefined
     const verifier = createVerifier({ issuer: 'https://a.b', audience: 'c', revocation: 'none', clientId })
     export const result: Promise<Verification> = verifier.verify('token')`,
  )
  const tsc = join(projectRoot, 'node_modules', 'typescript', 'bin', 'tsc')
  const options = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--target', 'es2022', '--lib', 'es2022']
  const resolution = ['--module', 'nodenext', '--types', '', 'typed.ts']
  await expect(run(process.execPath, [tsc, ...options, ...resolution], { cwd: folder })).resolves.toMatchObject({
    stdout: '',
  })
})

it('has the browser’s library, with types, for a bundler', async () => {
  await writeFile(
    join(folder, 'app.ts'),
    `import { createSession, type SessionStatus } from 'latchkey/browser'
     const session = createSession({ issuer: 'https://auth.example.com', clientId: 'web' })
     export const status: SessionStatus = session.status()`,
  )
  const tsc = join(projectRoot, 'node_modules', 'typescript', 'bin', 'tsc')
  const options = ['--noEmit', '--strict', '--target', 'es2022', '--lib', 'es2022,dom', '--types', '', 'app.ts']
  const resolution = ['--module', 'esnext', '--moduleResolution', 'bundler']
  await expect(run(process.execPath, [tsc, ...resolution, ...options], { cwd: folder })).resolves.toMatchObject({
    stdout: '',
  })
  const { metafile } = await build({
    entryPoints: [join(folder, 'app.ts')],
    bundle: true,
    metafile: true,
    write: false,
    format: 'esm',
  })
  const inputs = Object.keys(metafile.inputs).filter((input) => !input.endsWith('app.ts'))
  expect(inputs.every((input) => input.includes('latchkey/browser/'))).toBe(true)
})

it('verifies in workerd, behind Hono, with one verifier that the module makes as it loads', async () => {
  const { issuer, url } = await issuerOfToday()
  await writeFile(
    join(folder, 'worker.ts'),
    `import { Hono } from 'hono'
     import { createVerifier } from 'latchkey/verifier'
     import { requireToken } from 'latchkey/verifier/hono'
     const verifier = createVerifier(JSON.parse(OPTIONS))
     const app = new Hono()
     app.use(requireToken(verifier))
     app.get('/', (c) => c.json({ ...c.get('token'), state: verifier.state() }))
     export default app`,
  )
  const bundle = { entryPoints: [join(folder, 'worker.ts')], outfile: join(folder, 'bundle', 'worker.js') }
  const options = JSON.stringify({ issuer: url, audience, revocation: 'feed', ...credentials })
  await build({
    ...bundle,
    bundle: true,
    format: 'esm',
    platform: 'browser',
    conditions: ['workerd'],
    define: { OPTIONS: JSON.stringify(options) },
  })
  const lines: string[] = []
  const worker = await startWorkerd({
    bundle: { folder: join(folder, 'bundle'), modules: ['worker.js'] },
    env: {},
    onLine: (line) => lines.push(line),
  })
  onTestFinished(() => worker.stop())
  const [good, revoked] = [await issuer.sign({ iss: url }), await issuer.sign({ iss: url, sid: 'gone' })]
  issuer.revoke('sid', 'gone')
  const get = (token: string) => fetch(worker.url, { headers: { authorization: `Bearer ${token}` } })
  const answers = await Promise.all(Array.from({ length: 20 }, () => get(good)))
  expect([...new Set(answers.map(({ status }) => status))]).toEqual([200])
  expect(await (await get(good)).json()).toMatchObject({ checked: 'feed', state: { keys: { fetches: 1 } } })
  const refusal = await get(revoked)
  expect([refusal.status, refusal.headers.get('WWW-Authenticate')]).toEqual([401, 'Bearer error="invalid_token"'])
  expect(lines).toEqual([])
})

it('weighs less than 10 kB with jose, for a browser', async () => {
  const entry = join(folder, 'node_modules', 'latchkey', 'verifier', 'verifier.js')
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    write: false,
  })
  const bytes = gzipSync(outputFiles[0]?.contents ?? '', { level: 9 }).byteLength
  console.log(`latchkey/verifier with jose, minified: ${bytes} bytes gzip`)
  expect(bytes).toBeLessThan(SIZE_LIMIT_BYTES)
})
