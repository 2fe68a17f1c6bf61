/** The plot of growth: what a larger store does to rates, and the memory that it takes. */
import { join } from 'node:path'
import { z } from 'zod'
import { growthName, operationNames, type Growth } from './growth.ts'
import { peersFolder } from './install-peers.ts'
import { startPlace } from './places/place.ts'
import { ratiosOf, spreadOf } from './tables.ts'

/** An SVG. What draws it must be installed: see `installPeers`. */
export async function plotGrowth(growth: Growth): Promise<string> {
  const settings = { width: 760, height: 320, option: describe(growth) }
  const drawn = await startPlace({ file: join(peersFolder, 'plot.ts'), settings, ready: z.string() })
  await drawn.stop()
  return drawn.ready
}

/** As echarts takes it: two charts side by side, over the number of sessions. */
function describe({ sizes, rows }: Growth): object {
  const [smallest] = sizes
  const sessions = sizes.map((size) => size.sessions.toLocaleString('en'))
  const lines = operationNames.flatMap((operation) =>
    [true, false].map((alone) => ({
      type: 'line',
      xAxisIndex: 0,
      yAxisIndex: 0,
      name: `${operation}, ${alone ? '1 caller' : '32 callers'}`,
      data: sizes.map((size) => {
        const to = growthName(smallest?.sessions ?? 0, operation)
        const ratios = ratiosOf(rows, { of: growthName(size.sessions, operation), to }, alone)
        return Number(spreadOf(ratios).middle.toFixed(3))
      }),
    })),
  )
  const axis = { type: 'category', data: sessions, name: 'sessions', nameLocation: 'middle', nameGap: 28 }
  const title = { textStyle: { fontSize: 13, fontWeight: 'normal' } }
  return {
    backgroundColor: '#ffffff',
    title: [
      { ...title, text: `rate, as a part of that with ${sessions[0]} sessions`, left: 40, top: 8 },
      { ...title, text: 'memory of Redis, MB', left: 470, top: 8 },
    ],
    legend: { bottom: 0, itemGap: 16 },
    grid: [
      { left: 40, top: 44, width: 370, height: 190 },
      { left: 470, top: 44, width: 270, height: 190 },
    ],
    xAxis: [
      { ...axis, gridIndex: 0 },
      { ...axis, gridIndex: 1 },
    ],
    yAxis: [
      { gridIndex: 0, min: 0 },
      { gridIndex: 1, min: 0 },
    ],
    series: [
      ...lines,
      {
        type: 'bar',
        xAxisIndex: 1,
        yAxisIndex: 1,
        barWidth: 40,
        itemStyle: { color: '#9aa5b1' },
        label: { show: true, position: 'top' },
        data: sizes.map(({ bytes }) => Number((bytes / 1e6).toFixed(1))),
      },
    ],
  }
}
