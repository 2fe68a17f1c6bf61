/** Draws a chart as SVG, without a browser: the chart's description comes in, the SVG goes out. */
import { init } from 'echarts'

process.once('disconnect', () => process.exit(0))
process.once('message', ({ settings }: { settings: { width: number; height: number; option: object } }) => {
  const { width, height, option } = settings
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height })
  chart.setOption({ animation: false, ...option })
  process.send?.({ ready: chart.renderToSVGString() })
})
