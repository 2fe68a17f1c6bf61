import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, inject, it } from 'vitest'
import { check } from './checker/check.ts'
import { plannedKinds } from './history.ts'
import { planFaults } from './plan.ts'
import { describeFinding, describeReport } from './report-text.ts'
import { runSoak } from './soak.ts'

const seed = 1

it('plans every kind of fault into two minutes, whatever the seed, and the same for the same seed', () => {
  for (let other = 1; other <= 200; other++) {
    const plan = planFaults({ seed: other, fromMs: 17_000, untilMs: 110_000 })
    expect(new Set(plan.flat().map(({ kind }) => kind))).toEqual(new Set(plannedKinds))
    expect(planFaults({ seed: other, fromMs: 17_000, untilMs: 110_000 })).toEqual(plan)
    for (const track of plan)
      for (const [place, fault] of track.entries())
        expect(fault.atMs).toBeGreaterThanOrEqual((track[place - 1]?.atMs ?? 0) + (track[place - 1]?.forMs ?? 0))
  }
})

it(
  'keeps every promise for two minutes while servers, Redis and the way to it fail',
  { timeout: 240_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'latchkey-soak-'))
    try {
      const bundle = inject('clockWorker')
      const onProgress = console.log
      const history = await runSoak({ seed, minutes: 2, users: 100, balancer: 'haproxy', bundle, folder, onProgress })
      const report = check(history)
      console.log(describeReport(report))
      expect(report.violations.map(describeFinding)).toEqual([])
      expect(report.faults.filter(({ kind, times }) => times === 0 && kind !== 'standstill')).toEqual([])
      expect(report.falseLogouts).toBe(0)
      // Writable again in seconds.
      expect(report.failoverMs).toBeLessThan(15_000)
      expect(report.recovered).toBeGreaterThan(0)
      // The machine may be busy, but not as busy as that.
      expect(report.unexplained503 / report.operations).toBeLessThan(0.02)
      // Enough happened for that to mean something.
      expect(report.operations).toBeGreaterThan(2000)
      expect(report.signingKeys).toBeGreaterThan(1)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
)
