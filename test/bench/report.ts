/** `RESULTS.md`: what was measured, with what, and how to measure it again. */
import { readFile, writeFile } from 'node:fs/promises'
import { cpus, release, totalmem, type as systemName } from 'node:os'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { projectRoot } from '../../src/local/project.ts'
import { memoryTable, operationsTable, pricesTable, profilesTable, sessionsTable, workerTable } from './cost-tables.ts'
import type { OperationCost, SessionCost } from './cost.ts'
import type { Growth } from './growth.ts'
import { assumptions, type Price } from './price.ts'
import { comparisonsWith } from './comparisons.ts'
import type { Profile } from './profile.ts'
import type { Revision } from './revision.ts'
import type { Row } from './rounds.ts'
import { ratesTable, ratiosTable, toMarkdown, type TextTable } from './tables.ts'
import type { WorkerCost } from './worker-cost.ts'

export interface Results {
  readonly rows?: readonly Row[]
  /** The other commit, if there is one. */
  readonly against?: Revision
  readonly operations?: readonly OperationCost[]
  readonly sessions?: readonly SessionCost[]
  readonly prices?: readonly Price[]
  readonly profiles?: readonly Profile[]
  readonly worker?: WorkerCost
  readonly growth?: Growth
}

export interface Circumstances {
  readonly quick: boolean
  readonly rounds: number
  readonly ms: number
  readonly minutes: number
  readonly redisVersion: string
  /** What was left out, and why. */
  readonly failures: readonly string[]
}

const resultsFile = fileURLToPath(new URL('RESULTS.md', import.meta.url))
const plotFile = fileURLToPath(new URL('growth.svg', import.meta.url))

/** The tables of what there is, in order. */
export function tablesOf({
  rows,
  against,
  operations,
  sessions,
  prices,
  profiles,
  worker,
  growth,
}: Results): TextTable[] {
  return [
    ...(rows && against ? [againstTable(rows, against)] : []),
    ...(rows && rows.length > 0 ? [ratiosTable(rows), ratesTable(rows)] : []),
    ...(operations ? [operationsTable(operations)] : []),
    ...(sessions ? [sessionsTable(sessions)] : []),
    ...(prices && prices.length > 0 ? [pricesTable(prices)] : []),
    ...(profiles ? [profilesTable(profiles)] : []),
    ...(worker ? [workerTable(worker)] : []),
    ...(growth ? growthTables(growth) : []),
  ].filter(({ rows: lines }) => lines.length > 0)
}

function againstTable(rows: readonly Row[], against: Revision): TextTable {
  const title = `Before and after: ${against.commit} of ${against.date} (${against.subject}) and this`
  return { ...ratiosTable(rows, comparisonsWith(against)), title }
}

const growthTitle = 'Growth: the rate with many sessions to that with few'

function growthTables(growth: Growth): TextTable[] {
  return [
    { ...ratiosTable(growth.rows, growth.comparisons), title: growthTitle },
    { ...ratesTable(growth.rows), title: 'Growth: operations a second' },
    memoryTable(growth),
  ]
}

const notes: Readonly<Record<string, string>> = {
  [ratiosTable([]).title]:
    `Each ratio is the median over the rounds, and between the parentheses lies the middle half of them. Where a target was set, it says
whether the median meets it. "The least of" a call is what no call of its kind can do without, in a Worker that does nothing else: a
token or a body to read, the headers of the answer, the store's own client with a deadline, and for a refresh two MACs, a digest, a
signature and a line of log. No service on these parts is faster than that.`,
  [ratesTable([]).title]:
    `Of this machine on this day, callers and servers on the same cores: the ratios above say more. A row with one caller at a time is the
inverse of an answer's time.`,
  [operationsTable([]).title]:
    `Means of twenty operations, one caller, by Redis's \`INFO commandstats\`: the commands inside a script are counted, and so is the call
of the script. Bytes are those of Redis's protocol.`,
  [sessionsTable([]).title]:
    `The sum of \`MEMORY USAGE\` of all keys that a session has and that live on for more than five minutes: what goes by itself before the
next refresh is due does not add up, such as OpenAuth's used tokens. Accounts are left out. better-auth's \`refresh\` prolongs the session.
oidc-provider's does not count the browser session of its own sign-in pages, which it would have, too.`,
  [profilesTable([]).title]:
    `Per cent of the CPU time of workerd, eight callers, sampled by its own profiler; the bundle is not minified, so that each
line is known to belong to a package. workerd is what is not JavaScript: reading requests and writing answers, timers, fetch, WebCrypto, the
event loop. Of latchkey's part of a refresh, half is the line of log, which costs three times as much while a profiler listens.`,
  [growthTitle]: `Three stores of different sizes, each with a Redis and a Worker of its own, measured side by side. The sessions were written as a
sign-in writes them; each call is for one of them, chosen at random, with a token never seen before.`,
  [pricesTable([]).title]: `Computed, from the counts above and these assumptions:

${assumptions.map((assumption) => `- ${assumption}`).join('\n')}`,
}

export async function writeResults(results: Results, circumstances: Circumstances, plot?: string): Promise<void> {
  const sections = tablesOf(results).map((table) =>
    [`## ${table.title}`, notes[table.title] ?? '', toMarkdown(table)].filter((text) => text !== '').join('\n\n'),
  )
  const drawing = plot === undefined ? [] : ['![Rates and memory over the number of sessions](growth.svg)']
  const text = [await describeRun(circumstances), ...sections, ...drawing].join('\n\n')
  await writeFile(resultsFile, `${text}\n`)
  if (plot !== undefined) await writeFile(plotFile, `${plot}\n`)
}

async function describeRun({ quick, rounds, ms, minutes, redisVersion, failures }: Circumstances): Promise<string> {
  const own = await versionsOf(`${projectRoot}/package.json`)
  const peers = await versionsOf(fileURLToPath(new URL('peers/package.json', import.meta.url)))
  const versions = [
    `Node ${process.versions.node}`,
    `Redis ${redisVersion}`,
    ...['workerd', 'hono', 'jose', '@upstash/redis', '@node-rs/argon2', 'undici'].map((name) => `${name} ${own[name]}`),
    ...['better-auth', 'oidc-provider', '@openauthjs/openauth', 'express-session', 'connect-redis'].map(
      (name) => `${name} ${peers[name]}`,
    ),
  ]
  const [cpu] = cpus()
  const left =
    failures.length === 0 ? '' : `\n\nLeft out, since they failed:\n\n${failures.map((what) => `- ${what}`).join('\n')}`
  return `# Results

\`\`\`sh
npm run bench                                     # everything; writes this file
npm run bench -- --quick                          # the same in about two minutes, less exactly
npm run bench -- --only verify,limits --rounds 3  # a part of it, on the screen only
npm run bench -- --against HEAD~3                 # with an earlier commit besides, for a before and after
\`\`\`

This file is of ${quick ? '`npm run bench -- --quick`' : '`npm run bench`'} on ${new Date().toISOString().slice(0, 10)}: ${rounds} rounds of ${ms} ms for each row, ${minutes.toFixed(1)} minutes in all, on
${cpus().length} × ${cpu?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 1e9)} GB, ${systemName()} ${release()}.
${versions.join(' · ')}.

Everything ran in one go on this machine, on the loopback interface: in each round every row is measured once, one after the other, and
a ratio compares two rates of the same round. Latchkey is its production bundle in \`workerd serve\`, its store a real Redis behind the
local bridge, which speaks Upstash's protocol over HTTP as it would be spoken at the edge; the alternatives are one Node process each, and
talk to the same Redis over TCP. A caller waits for each answer before it calls again; each caller that refreshes has a session of
its own. Password hashing is left out everywhere but in the rows called login. Nothing is written to a disk, and the
store's deadline is ten seconds instead of 0.8, so that a busy machine breaks nothing off.${left}

## ${meanings.title}

${toMarkdown(meanings)}`
}

/** What the words of the rows mean for each system. */
const meanings: TextTable = {
  title: 'What is compared',
  head: ['system', 'refresh', 'check', 'logout'],
  rows: [
    [
      'Latchkey',
      'rotates the refresh token, signs an access token',
      '`/v1/verify`: live, from the store; cached, for a second; or a service with the verifier library',
      'ends the session, tells the feed',
    ],
    [
      'better-auth, users in SQLite in memory',
      'prolongs the session (`updateAge: 0`)',
      '`get-session`, from Redis; or the cookie is believed for five minutes (`cookieCache`)',
      '`sign-out`',
    ],
    ['oidc-provider, opaque tokens, no ID token', 'rotates both tokens', 'introspection', 'revokes the refresh token'],
    [
      'OpenAuth',
      'rotates the refresh token, signs an access token',
      'its client library, by the signature alone',
      'has none',
    ],
    ['express-session', 'gives the session a new id', 'reads the session, does not prolong it', 'destroys the session'],
  ],
}

const manifest = z.object({
  dependencies: z.record(z.string(), z.string()),
  devDependencies: z.record(z.string(), z.string()).optional(),
})

async function versionsOf(file: string): Promise<Record<string, string>> {
  const { dependencies, devDependencies } = manifest.parse(JSON.parse(await readFile(file, 'utf8')))
  return { ...devDependencies, ...dependencies }
}
