// What a dashboard of ours is made of, in the types that Grafana publishes as @grafana/schema.
// grafana_dashboard.schema.json is generated from this; README.md says how.
import type {
  AnnotationQuery,
  Dashboard as Base,
  DataQuery,
  FieldConfigSource,
  Panel as BasePanel,
  RowPanel as BaseRow,
} from '@grafana/schema';
import type * as barGauge from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import type * as heatmap from '@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen';
import type * as stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as stateTimeline from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type * as table from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type * as timeSeries from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

// The fields of Grafana's Prometheus data source, which has no types in this package.
interface PrometheusQuery extends DataQuery {
  expr: string;
  instant?: boolean;
  range?: boolean;
  format?: 'time_series' | 'table' | 'heatmap';
  legendFormat?: string;
  interval?: string;
}

interface PrometheusAnnotation extends AnnotationQuery {
  expr?: string;
  step?: string;
  titleFormat?: string;
  textFormat?: string;
  tagKeys?: string;
}

// Grafana fills absent options with the panel's defaults.
interface PanelOf<Type extends string, Options, Custom>
  extends Omit<BasePanel, 'type' | 'options' | 'fieldConfig' | 'targets'> {
  type: Type;
  options?: Partial<Options>;
  fieldConfig?: Omit<FieldConfigSource, 'defaults'> & {
    defaults: Omit<FieldConfigSource['defaults'], 'custom'> & { custom?: Partial<Custom> };
  };
  targets: PrometheusQuery[];
}

type Panel =
  | PanelOf<'bargauge', barGauge.Options, Record<string, never>>
  | PanelOf<'heatmap', heatmap.Options, heatmap.FieldConfig>
  | PanelOf<'stat', stat.Options, Record<string, never>>
  | PanelOf<'state-timeline', stateTimeline.Options, stateTimeline.FieldConfig>
  | PanelOf<'table', table.Options, table.FieldConfig>
  | PanelOf<'timeseries', timeSeries.Options, timeSeries.FieldConfig>;

interface RowPanel extends Omit<BaseRow, 'panels' | 'type'> {
  type: 'row';
  panels: Panel[];
}

export interface Dashboard extends Omit<Base, 'panels' | 'annotations'> {
  panels: Array<Panel | RowPanel>;
  annotations?: { list?: PrometheusAnnotation[] };
}
