import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { projectRoot } from '../../src/local/project.ts'
import { comparisons, comparisonsWith } from './comparisons.ts'
import { chooseItems, items } from './items/all.ts'
import { itemsAt } from './items/latchkey.ts'
import { computePrices, month, plans, prices } from './price.ts'
import { sharesOf } from './profile.ts'
import { ratiosTable, ratesTable, toMarkdown } from './tables.ts'

const program = join(projectRoot, 'test', 'bench', 'program.ts')

/** On a quiet machine it takes a tenth of that. */
const timeout = 150_000

/** The program as npm starts it, in a process group of its own. */
function start(args: readonly string[]) {
  const options = ['--import', './src/local/lua-text.ts', program, ...args]
  const child = spawn(process.execPath, options, {
    cwd: projectRoot,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [printed, progress] = ['', '']
  child.stdout.on('data', (chunk) => (printed += String(chunk)))
  child.stderr.on('data', (chunk) => (progress += String(chunk)))
  const ended = once(child, 'close').then(([code]) => ({ code, printed, progress }))
  return { child, group: child.pid ?? 0, ended, progress: () => progress }
}

/** Whether any process of the group is left. */
function isAlive(group: number): boolean {
  try {
    return process.kill(-group, 0)
  } catch {
    return false
  }
}

it('measures what needs no installation, and prints a rate for each item and the ratios', { timeout }, async () => {
  const run = start(['--only', 'limits,latchkey,verifier', '--rounds', '1', '--ms', '10'])
  const { code, printed, progress } = await run.ended
  expect({ code, progress }).toMatchObject({ code: 0 })
  const cells = printed.split('\n').map((line) => line.split('│').map((cell) => cell.trim()))
  const rate = /^[\d,.]+ \([\d,.]+–[\d,.]+\)/
  for (const { name, callers } of chooseItems(['limits', 'latchkey', 'verifier'])) {
    const row = cells.find((line) => line[1] === name && rate.test(line[2] ?? ''))
    expect(row ?? `no row of ${name}`).toEqual(expect.any(Array))
    if (callers?.length !== 1) expect(row?.[3]).toMatch(rate)
  }
  expect(printed).toMatch(
    /latchkey: refresh +│ limits: one EVALSHA and one signature +│ [\d.]+ \([\d.]+–[\d.]+\), (meets|misses) 0.75/,
  )
  expect(isAlive(run.group)).toBe(false)
})

it('ends everything that it started when it is interrupted', { timeout }, async () => {
  const run = start(['--only', 'latchkey', '--rounds', '1000'])
  await expect.poll(run.progress, { timeout }).toContain('warming up')
  process.kill(-run.group, 'SIGINT')
  expect(await run.ended).toMatchObject({ code: 130, printed: '' })
  await expect.poll(() => isAlive(run.group)).toBe(false)
})

it('says what it can measure when it is asked for something else', async () => {
  const { code, progress } = await start(['--only', 'speed']).ended
  expect({ code, progress }).toEqual({
    code: 2,
    progress: expect.stringContaining('There is no speed. There are limits'),
  })
})

it('says so when there is no such commit to compare with', async () => {
  const { code, progress } = await start(['--against', 'no-such-commit']).ended
  expect({ code, progress }).toEqual({ code: 2, progress: '\nThere is no commit no-such-commit here.\n' })
})

it('compares each operation but logout with that of another commit', () => {
  const revision = { commit: 'abc1234', date: '2026-01-01', subject: 'A commit' }
  const names = itemsAt(revision).map(({ name }) => name)
  expect(comparisonsWith(revision).map(({ to }) => to)).toEqual(names)
  expect(items.map(({ name }) => name)).toEqual(expect.arrayContaining(comparisonsWith(revision).map(({ of }) => of)))
})

it('adds up whose code a profile was in, idle time left out', () => {
  const frame = (functionName: string, url: string, lineNumber: number) => ({ functionName, url, lineNumber })
  const frames = [
    frame('(idle)', '', -1),
    frame('fetch', '', -1),
    frame('a', 'worker.js', 1),
    frame('b', 'worker.js', 2),
  ]
  const profile = {
    nodes: frames.map((callFrame, id) => ({ id, callFrame })),
    samples: [0, 1, 2, 3, 2],
    timeDeltas: [900, 50, 20, 10, 20],
  }
  const shares = sharesOf(profile, (line) => ['', 'hono', 'latchkey'][line] ?? '')
  expect(Object.fromEntries(shares)).toEqual({ workerd: 0.5, hono: 0.4, latchkey: 0.1 })
})

it('has written down commands that there are', async () => {
  const results = await readFile(new URL('RESULTS.md', import.meta.url), 'utf8')
  const { printed: help } = await start(['--help']).ended
  const commands = [...results.matchAll(/^npm run bench(?: -- (.*?))?(?: +#.*)?$/gm)]
  expect(commands.length).toBeGreaterThan(1)
  for (const option of commands.flatMap(([, args = '']) => args.match(/--[a-z]+/g) ?? []))
    expect(help).toContain(option)
  expect(JSON.parse(await readFile(join(projectRoot, 'package.json'), 'utf8'))).toMatchObject({
    scripts: { bench: expect.stringContaining('test/bench/program.ts') },
  })
})

it('compares and prices only what it measures', () => {
  const names = new Set(items.map(({ name }) => name))
  for (const { of, to } of comparisons) expect([...names]).toEqual(expect.arrayContaining([of, to]))
  for (const { operation } of plans.flatMap(({ habits }) => habits))
    expect([...names, 'latchkey: reading the feed']).toContain(operation)
  expect(names.size).toBe(items.length)
})

it('takes ratios round by round, and their median', () => {
  const row = (name: string, rates: number[]) => ({ name, callers: 1, alone: true, rates })
  const rows = [row('a', [20, 100, 90, 60]), row('b', [20, 50, 30, 30])]
  expect(toMarkdown(ratiosTable(rows, [{ of: 'a', to: 'b', target: [1.5, undefined] }]))).toBe(
    [
      '| what | to | 1 caller | 32 callers |',
      '| --- | --- | --- | --- |',
      '| a | b | 2.00 (1.75–2.25), meets 1.5 |  |',
    ].join('\n'),
  )
  expect(ratesTable(rows).rows[0]).toEqual(['a', '75 (50–93)', ''])
})

it('prices a month by commands, gigabytes moved and gigabytes stored', () => {
  const operation = { name: 'openauth: refresh', commands: 2, which: '', bytesIn: 600, bytesOut: 400 }
  const sessions = [{ system: 'openauth', bytes: new Map([[100, 3000]]) }]
  const refreshes = month.users * month.hours * month.refreshesPerHour
  const [price, ...others] = computePrices([operation], sessions)
  expect(others).toEqual([])
  expect(price).toMatchObject({ system: 'openauth, signature only', commands: 2 * refreshes })
  const moved = (refreshes * 1000) / 1e9 - prices.freeGbMoved
  expect(price?.dollars).toBeCloseTo(((2 * refreshes) / 100_000) * 0.2 + moved * 0.03 + 2 * 0.25)
})
