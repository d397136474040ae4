const babel = {
  presets: [['@babel/preset-react', { runtime: 'automatic' }], '@babel/preset-typescript'],
  plugins: ['@babel/plugin-transform-modules-commonjs']
};

module.exports = {
  testEnvironment: 'jsdom',
  testMatch: ['<rootDir>/test/**/*.test.ts?(x)'],
  modulePathIgnorePatterns: ['<rootDir>/built', '<rootDir>/lib'],
  transform: { '\\.(t|j)sx?$': ['babel-jest', babel] }
};
