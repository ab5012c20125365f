import { render } from 'preact';
import 'uplot/dist/uPlot.min.css';
import './shell/base.css';
import './shell/shell.css';
import './chart/chart.css';
import { watchFiring } from './api/alerts';
import { loadDoors } from './api/doors';
import { App } from './shell/App';
import { installKeys } from './shell/keys';
import { interceptLinks } from './shell/router';

installKeys();
void loadDoors();
watchFiring();
const root = document.getElementById('app')!;
interceptLinks(root);
root.replaceChildren();
render(<App />, root);
