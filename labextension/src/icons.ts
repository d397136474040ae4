import { LabIcon } from '@jupyterlab/ui-components';
import factory from '../style/icons/factory.svg';
import send from '../style/icons/send.svg';

export const factoryIcon = new LabIcon({ name: 'aifactory-hub:factory', svgstr: factory });
export const sendIcon = new LabIcon({ name: 'aifactory-hub:send', svgstr: send });
