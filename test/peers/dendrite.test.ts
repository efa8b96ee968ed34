/** Dendrite behind Portico, as its clients see it. */
import { describeClientLife } from './harness/client-suite.ts';

describeClientLife('dendrite');
